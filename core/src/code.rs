//! Stable codes, as shells and logs show them: one table gives an enum its codes and the list of its variants.

/// Declares an enum's `ALL` and `code()`: a variant that the table does not have does not compile.
macro_rules! coded {
    ($name:ident { $($variant:ident = $code:literal,)+ }) => {
        impl $name {
            /// Every one of them, in the order of its name.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }
    };
}

pub(crate) use coded;
