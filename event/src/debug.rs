//! `Debug` of what has more inside than people want to see.

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
