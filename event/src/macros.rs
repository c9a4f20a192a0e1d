//! What many types have alike.

/// Shows these values of a type, `this`, each with its name, and `..` for all others.
#[doc(hidden)]
#[macro_export]
macro_rules! debug_fields {
    ($type:ident, $this:ident: $($name:literal = $value:expr),* $(,)?) => {
        impl ::std::fmt::Debug for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                let $this = self;
                let mut shown = f.debug_struct(stringify!($type));
                $(shown.field($name, &$value);)*
                shown.finish_non_exhaustive()
            }
        }
    };
}

/// Setters that take an options value and give it back: each with its words, what it takes, and the field that is
/// set to that, or to what it can be turned into, as a value or `None` into an `Option`.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    ($($(#[$words:meta])* $name:ident($value:ident: $type:ty) => $($field:ident).+;)+) => {$(
        $(#[$words])*
        pub fn $name(mut self, $value: $type) -> Self {
            self.$($field).+ = $value.into();
            self
        }
    )+};
}

/// What a name that is one number has: that number. No other one of the process has it.
macro_rules! number_id {
    ($type:ident) => {
        impl $type {
            /// The number behind it, for logs and foreign interfaces; never zero. No other one of the process has
            /// it, also when its own has gone.
            pub fn raw(self) -> u64 {
                self.0.get()
            }

            /// The one that [`raw`](Self::raw) gave this number of. Of a number that it never gave one that names
            /// nothing; `None`: zero.
            pub fn from_raw(raw: u64) -> Option<Self> {
                std::num::NonZeroU64::new(raw).map(Self)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
