//! What users keep with a handle.

use crate::sync::{change, lock};
use std::any::Any;
use std::sync::{Arc, Mutex};

/// Something of the user's, or nothing.
type Kept = Option<Arc<dyn Any + Send + Sync>>;

/// A context, and a binding apart from it. For the handles of connections.
#[doc(hidden)]
#[derive(Default)]
pub struct UserData(Mutex<[Kept; 2]>);

impl UserData {
    /// The place of the context.
    pub const CONTEXT: usize = 0;
    /// The place of the binding.
    pub const BINDING: usize = 1;

    /// Keeps a value at that place; what was there is dropped with no lock held.
    pub fn set<const PLACE: usize, T: Any + Send + Sync>(&self, value: T) {
        let value: Arc<dyn Any + Send + Sync> = Arc::new(value);
        change(&self.0, |kept| kept[PLACE].replace(value));
    }

    /// What is kept there, if it is of type `T`.
    pub fn get<const PLACE: usize, T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let kept = lock(&self.0)[PLACE].clone();
        kept?.downcast().ok()
    }
}

/// What a handle offers of its [`UserData`], which its `user_data()` is.
#[doc(hidden)]
#[macro_export]
macro_rules! user_data_methods {
    () => {
        /// Keeps something of the user's with the connection, in the place of what was there. It goes with the
        /// last handle, on whatever thread.
        ///
        /// libhv: `Channel::setContext`, `newContext`.
        pub fn set_context<T: ::std::any::Any + Send + Sync>(&self, context: T) {
            use $crate::UserData;
            self.user_data().set::<{ UserData::CONTEXT }, T>(context);
        }

        /// What [`set_context`](Self::set_context) keeps, if it is of type `T`.
        ///
        /// libhv: `Channel::context`, `getContext`.
        pub fn context<T: ::std::any::Any + Send + Sync>(&self) -> Option<::std::sync::Arc<T>> {
            use $crate::UserData;
            self.user_data().get::<{ UserData::CONTEXT }, T>()
        }

        /// As [`set_context`](Self::set_context), at a place of its own: for code between the library and its
        /// user, such as a binding to another language, which finds its own object in each callback and leaves
        /// the context to the user.
        pub fn set_binding<T: ::std::any::Any + Send + Sync>(&self, binding: T) {
            use $crate::UserData;
            self.user_data().set::<{ UserData::BINDING }, T>(binding);
        }

        /// What [`set_binding`](Self::set_binding) keeps, if it is of type `T`.
        pub fn binding<T: ::std::any::Any + Send + Sync>(&self) -> Option<::std::sync::Arc<T>> {
            use $crate::UserData;
            self.user_data().get::<{ UserData::BINDING }, T>()
        }
    };
}

/// What a handle says of its descriptor, whose number its `raw_fd()` is.
#[doc(hidden)]
#[macro_export]
macro_rules! fd_methods {
    () => {
        /// The number of its descriptor while it is open, also afterwards: for logs, and for options of the
        /// socket that the library does not know, in a callback. It is the library's: not to be read, written or
        /// closed. Once the connection has ended, others may have the number.
        ///
        /// libhv: `Channel::fd`, `hio_fd`.
        #[cfg(all(unix, not(hvloop_sim)))]
        pub fn fd(&self) -> Option<::std::os::fd::RawFd> {
            self.raw_fd()
        }
    };
}
