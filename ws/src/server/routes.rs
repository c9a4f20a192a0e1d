//! Which service a path belongs to.

use super::service::WebSocketService;
use std::sync::Arc;

/// Services by path: exact ones, and those of everything below a prefix.
#[derive(Default)]
pub(super) struct Routes(Vec<(String, Arc<WebSocketService>)>);

impl Routes {
    /// These, and that one in the place of one with the same path.
    pub(super) fn with(&self, path: String, service: Arc<WebSocketService>) -> Self {
        let others = self.0.iter().filter(|(known, _)| *known != path);
        let mut routes: Vec<_> = others.cloned().collect();
        routes.push((path, service));
        Self(routes)
    }

    /// The service of that path: the exact one, else that with the longest prefix.
    pub(super) fn find(&self, path: &str) -> Option<Arc<WebSocketService>> {
        let matching = self.0.iter().filter_map(|(pattern, service)| {
            let length = match pattern.strip_suffix('*') {
                None => (pattern == path).then_some(usize::MAX),
                Some(prefix) => path.starts_with(prefix).then_some(prefix.len()),
            };
            Some((length?, service))
        });
        let best = matching.max_by_key(|(length, _)| *length);
        best.map(|(_, service)| service.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_path_wins() {
        let named = |paths: &[&str]| {
            let mut routes = Routes::default();
            for path in paths {
                routes = routes.with((*path).to_owned(), Arc::default());
            }
            routes
        };
        let routes = named(&["/*", "/chat", "/chat/*", "/chat/rooms/*"]);
        let at = |path: &str| {
            let found = routes.find(path)?;
            let of = |(_, service): &(String, Arc<WebSocketService>)| Arc::ptr_eq(service, &found);
            let at = routes.0.iter().position(of)?;
            Some(routes.0[at].0.as_str())
        };
        assert_eq!(at("/chat"), Some("/chat"));
        assert_eq!(at("/chat/"), Some("/chat/*"));
        assert_eq!(at("/chat/rooms/7"), Some("/chat/rooms/*"));
        assert_eq!(at("/chats"), Some("/*"));
        assert!(named(&["/chat"]).find("/chat/").is_none());
        assert!(named(&[]).find("/").is_none());
        let first = named(&["/a"]).find("/a");
        let again = named(&["/a"]).with("/a".to_owned(), Arc::default());
        assert_eq!((again.0.len(), first.is_some()), (1, true));
    }
}
