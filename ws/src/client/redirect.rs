//! Redirects of the upgrade: where the next hop goes, and what it may carry. Pure.

use crate::events::{RedirectError, RedirectProblem};
use crate::url::{UrlError, WsTarget, WsUrl};
use http::HeaderMap;
use http::header::LOCATION;
use hvloop_event::zone::{BadZone, ZonedUrl, cut_zone, put_zone};
use std::sync::Arc;
use url::Url;

/// Headers of the user's that no other origin gets; lower case.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "host", "proxy-authorization"];

/// The way of one attempt: the URL it began at, and those that it was led to.
#[derive(Debug)]
pub(super) struct Route {
    /// Not empty; the last one is the present one.
    urls: Vec<WsUrl>,
    limit: u32,
    /// It has left the origin that it began at, once.
    crossed: bool,
}

impl Route {
    /// `limit` is how many hops may follow.
    pub(super) fn new(url: WsUrl, limit: u32) -> Self {
        Self {
            urls: vec![url],
            limit,
            crossed: false,
        }
    }

    /// Where the attempt is, or goes to.
    pub(super) fn url(&self) -> &WsUrl {
        &self.urls[self.urls.len() - 1]
    }

    /// Where the attempt is, for good.
    pub(super) fn into_url(mut self) -> WsUrl {
        let last = self.urls.len() - 1;
        self.urls.swap_remove(last)
    }

    /// How many redirects it has followed.
    pub(super) fn hops(&self) -> u32 {
        u32::try_from(self.urls.len() - 1).unwrap_or(u32::MAX)
    }

    /// Whether a header of the user's is to be sent there.
    pub(super) fn carries(&self, header: &str) -> bool {
        let secret = CREDENTIALS
            .iter()
            .any(|name| header.eq_ignore_ascii_case(name));
        !(self.crossed && secret)
    }

    /// What follows from an answer: `None`: it is no redirect, or none is to be followed.
    pub(super) fn follow(
        &mut self,
        status: u16,
        headers: &HeaderMap,
    ) -> Option<Result<(), Arc<RedirectError>>> {
        let is_redirect = matches!(status, 301 | 302 | 303 | 307 | 308);
        if !is_redirect || self.limit == 0 {
            return None;
        }
        Some(match self.next(headers) {
            Ok(url) => {
                self.crossed |= origin(&url) != origin(self.url());
                self.urls.push(url);
                Ok(())
            }
            Err(problem) => Err(self.refuse(status, problem)),
        })
    }

    /// A redirect of the present URL that is not followed.
    fn refuse(&self, status: u16, problem: RedirectProblem) -> Arc<RedirectError> {
        Arc::new(RedirectError {
            status,
            url: self.url().clone(),
            problem,
        })
    }

    /// Steps back: the last redirect cannot be followed after all.
    pub(super) fn take_back(
        &mut self,
        status: u16,
        problem: RedirectProblem,
    ) -> Arc<RedirectError> {
        if self.urls.len() > 1 {
            self.urls.pop();
        }
        self.refuse(status, problem)
    }

    fn next(&self, headers: &HeaderMap) -> Result<WsUrl, RedirectProblem> {
        if self.hops() >= self.limit {
            return Err(RedirectProblem::TooMany { limit: self.limit });
        }
        let mut locations = headers.get_all(LOCATION).iter();
        let location = locations.next().ok_or(RedirectProblem::NoLocation)?;
        let location = std::str::from_utf8(location.as_bytes());
        let (Ok(location), None) = (location, locations.next()) else {
            return Err(RedirectProblem::BadLocation);
        };
        let url = resolve(self.url(), location).map_err(RedirectProblem::Url)?;
        if !matches!(url.target(), WsTarget::Host { .. }) {
            return Err(RedirectProblem::UnixSocket);
        }
        if self.url().is_tls() && !url.is_tls() {
            return Err(RedirectProblem::Downgrade(Box::new(url)));
        }
        match self.urls.contains(&url) {
            true => Err(RedirectProblem::Loop(Box::new(url))),
            false => Ok(url),
        }
    }
}

/// RFC 6454 section 4.
fn origin(url: &WsUrl) -> (bool, &WsTarget) {
    (url.is_tls(), url.target())
}

/// The Location, seen from the present URL (RFC 9110 section 10.2.2), as browsers resolve it; `http` is
/// taken for `ws`, since servers answer with that. A fragment is nothing that is sent. A server does not know
/// the zone in which it is for this host (RFC 6874 section 3): its own address has that of the present URL.
fn resolve(from: &WsUrl, location: &str) -> Result<WsUrl, UrlError> {
    // The parser drops tabs and line ends silently.
    if location.chars().any(char::is_control) {
        return Err(UrlError::ControlCharacter);
    }
    let zoned = cut_zone(from.as_str()).transpose();
    let zoned = zoned.map_err(|BadZone| UrlError::Zone)?;
    if let Some(ZonedUrl { url, zone }) = zoned {
        let url = resolve(&WsUrl::parse(&url)?, location)?;
        return match url.ip() == from.ip() && cut_zone(url.as_str()).is_none() {
            true => WsUrl::parse(&put_zone(url.as_str(), &zone)),
            false => Ok(url),
        };
    }
    if let Some(zoned) = cut_zone(location) {
        let ZonedUrl { url, zone } = zoned.map_err(|BadZone| UrlError::Zone)?;
        let url = resolve(from, &url)?;
        return WsUrl::parse(&put_zone(url.as_str(), &zone));
    }
    let base = Url::parse(from.as_str()).map_err(UrlError::Syntax)?;
    let mut url = base.join(location).map_err(UrlError::Syntax)?;
    url.set_fragment(None);
    let scheme = match url.scheme() {
        "http" => Some("ws"),
        "https" => Some("wss"),
        _ => None,
    };
    if let Some(scheme) = scheme
        && url.set_scheme(scheme).is_err()
    {
        return Err(UrlError::UnsupportedScheme(url.scheme().to_owned()));
    }
    WsUrl::parse(url.as_str())
}

#[cfg(test)]
mod tests;
