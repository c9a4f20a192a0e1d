//! Headers, as C sees them.

use crate::error::{Failure, Outcome, hvloop_error};
use hvloop::ws::http::HeaderMap;
use std::ffi::{CStr, CString, c_char};

/// Headers in their order, each name with a value.
#[derive(Default)]
pub(crate) struct HttpFields(Vec<(CString, CString)>);

impl HttpFields {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        // Neither can hold a NUL.
        let text = |bytes: &[u8]| CString::new(bytes).unwrap_or_default();
        let fields = headers.iter();
        let fields = fields.map(|(name, value)| (text(name.as_ref()), text(value.as_bytes())));
        Self(fields.collect())
    }

    pub(crate) fn add(&mut self, name: &str, value: &CStr) {
        let name = CString::new(name).unwrap_or_default();
        self.0.push((name, value.to_owned()));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&CStr, &CStr)> {
        let fields = self.0.iter();
        fields.map(|(name, value)| (name.as_c_str(), value.as_c_str()))
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The n-th.
    ///
    /// # Errors
    ///
    /// There are not so many.
    pub(crate) fn nth(&self, n: usize) -> Outcome<(*const c_char, *const c_char)> {
        let field = self.0.get(n);
        let none = || Failure::argument("there are not so many headers");
        field
            .map(|(name, value)| (name.as_ptr(), value.as_ptr()))
            .ok_or_else(none)
    }

    /// The value of the first one of that name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn find(&self, name: &str) -> Outcome<*const c_char> {
        let wanted = name.as_bytes();
        let mut fields = self.0.iter();
        let found = fields.find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(wanted));
        let none = || Failure::new(hvloop_error::NotFound, format!("there is no header {name}"));
        found.map(|(_, value)| value.as_ptr()).ok_or_else(none)
    }
}
