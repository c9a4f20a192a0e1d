//! The page, over plain HTTP at the same port.

use hvloop::ws::handshake::{HttpRequest, HttpResponse};
use hvloop::ws::http::{Method, StatusCode};
use std::error::Error;

/// Nothing but what this server serves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers requests for the page and its parts, and `/health`.
pub fn pages() -> Result<impl Fn(&HttpRequest) -> HttpResponse + Send + Sync, Box<dyn Error>> {
    let page = HttpResponse::html(include_str!("page/index.html"))
        .header("Content-Security-Policy", POLICY)?;
    let css = file("text/css", include_str!("page/page.css"))?;
    let script = file("text/javascript", include_str!("page/page.js"))?;
    let chart = file("text/javascript", include_str!("page/chart.js"))?;
    Ok(move |request: &HttpRequest| {
        if request.method != Method::GET && request.method != Method::HEAD {
            return StatusCode::METHOD_NOT_ALLOWED.into();
        }
        match request.path.as_str() {
            "/" => page.clone(),
            "/page.css" => css.clone(),
            "/page.js" => script.clone(),
            "/chart.js" => chart.clone(),
            "/health" => HttpResponse::new(StatusCode::NO_CONTENT),
            "/echo" | "/live" => StatusCode::UPGRADE_REQUIRED.into(),
            _ => StatusCode::NOT_FOUND.into(),
        }
    })
}

fn file(kind: &str, text: &'static str) -> Result<HttpResponse, Box<dyn Error>> {
    let response = HttpResponse::new(StatusCode::OK).body(text.as_bytes());
    Ok(response
        .header("Content-Type", &format!("{kind}; charset=utf-8"))?
        .header("Cache-Control", "no-cache")?)
}
