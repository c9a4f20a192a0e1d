//! What an attempt needs until it is open, and gives back then.

use crate::client::options::Values;
use crate::client::plan::Plan;
use crate::client::redirect::Route;
use crate::client::request::RequestHead;
use crate::events::{PrepareError, RedirectError, RedirectProblem};
use crate::handshake::{HeadError, UpgradeRequest};
use crate::url::WsUrl;
use http::HeaderMap;
use hvloop_event::TimerId;
use hvloop_event::log;
#[cfg(feature = "tls")]
use hvloop_event::tls::TlsClientConfig;
use std::sync::Arc;
use std::time::Instant;

/// See the module.
pub(super) struct Opening {
    pub(super) plan: Arc<Plan>,
    pub(super) began: Instant,
    /// The time for the hook that it waits for.
    pub(super) preparing: Option<TimerId>,
    /// Once it is known where to.
    pub(super) trip: Option<Trip>,
}

/// Where an attempt goes, and what it says there.
pub(super) struct Trip {
    /// What it sends, on each hop.
    head: Arc<RequestHead>,
    /// Its way over redirects.
    pub(super) route: Route,
    /// What is sent on the present hop; `None`: what the plan says.
    request: Option<Box<UpgradeRequest>>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<TlsClientConfig>,
}

impl Opening {
    pub(super) fn new(plan: Arc<Plan>, began: Instant) -> Box<Self> {
        Box::new(Self {
            plan,
            began,
            preparing: None,
            trip: None,
        })
    }

    /// Goes where the plan says.
    pub(super) fn set_out(&mut self) -> Result<(), PrepareError> {
        let (url, head) = (self.plan.url.clone(), self.plan.options.all.head.clone());
        self.go(url, head, None)
    }

    /// Goes where a hook says.
    pub(super) fn set_out_to(
        &mut self,
        url: WsUrl,
        head: Arc<RequestHead>,
    ) -> Result<(), PrepareError> {
        let request = request_for(&head, &url, &self.plan.options.all, |_| true);
        let request = request.map_err(PrepareError::Head)?;
        self.go(url, head, Some(Box::new(request)))
    }

    fn go(
        &mut self,
        url: WsUrl,
        head: Arc<RequestHead>,
        request: Option<Box<UpgradeRequest>>,
    ) -> Result<(), PrepareError> {
        let options = &self.plan.options.all;
        #[cfg(feature = "tls")]
        let tls = self.plan.tls_for(&url).map_err(|e| match e {
            Some(e) => PrepareError::Tls(e),
            None => PrepareError::TlsNotBuiltIn,
        })?;
        #[cfg(not(feature = "tls"))]
        if url.is_tls() {
            return Err(PrepareError::TlsNotBuiltIn);
        }
        self.trip = Some(Trip {
            head,
            route: Route::new(url, options.redirects),
            request,
            #[cfg(feature = "tls")]
            tls,
        });
        Ok(())
    }

    /// What is sent on the present hop; `None`: there is none.
    pub(super) fn request(&self) -> Option<&UpgradeRequest> {
        let trip = self.trip.as_ref()?;
        Some(trip.request.as_deref().unwrap_or(&self.plan.request))
    }

    /// What follows from an answer: `None`: it is no redirect, or none is to be followed. Else the next hop is
    /// ready, or cannot be.
    pub(super) fn follow(
        &mut self,
        status: u16,
        headers: &HeaderMap,
    ) -> Option<Result<(), Arc<RedirectError>>> {
        let trip = self.trip.as_mut()?;
        let led = trip.route.follow(status, headers)?;
        Some(led.and_then(|()| trip.prepare_hop(&self.plan, status)))
    }
}

impl Trip {
    /// Makes what the hop to where the route leads now needs.
    fn prepare_hop(&mut self, plan: &Plan, status: u16) -> Result<(), Arc<RedirectError>> {
        let route = &mut self.route;
        #[cfg(feature = "tls")]
        let tls = match plan.tls_for(route.url()) {
            Ok(tls) => tls,
            Err(e) => {
                let problem = e.map_or(RedirectProblem::TlsNotBuiltIn, RedirectProblem::Tls);
                return Err(route.take_back(status, problem));
            }
        };
        #[cfg(not(feature = "tls"))]
        if route.url().is_tls() {
            return Err(route.take_back(status, RedirectProblem::TlsNotBuiltIn));
        }
        let carried = |name: &str| route.carries(name);
        match request_for(&self.head, route.url(), &plan.options.all, carried) {
            Ok(request) => {
                self.request = Some(Box::new(request));
                #[cfg(feature = "tls")]
                {
                    self.tls = tls;
                }
                Ok(())
            }
            // Of the same headers open() made one.
            Err(e) => {
                log::error!("hvloop: a request that was good is not: {e}");
                Err(route.take_back(status, RedirectProblem::BadLocation))
            }
        }
    }
}

fn request_for(
    head: &RequestHead,
    url: &WsUrl,
    options: &Values,
    carried: impl Fn(&str) -> bool,
) -> Result<UpgradeRequest, HeadError> {
    head.request(url, options.connection.deflate, carried)
}
