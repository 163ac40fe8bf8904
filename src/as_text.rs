//! Types that settings and ledgers hold as the text that a user writes for them.

/// Serialized as [`Display`](std::fmt::Display) writes these types, and read as [`FromStr`](std::str::FromStr) does. They
/// say `#[serde(try_from = "String", into = "String")]`.
macro_rules! as_text {
    ($($of:ty),+) => {$(
        impl TryFrom<String> for $of {
            type Error = String;

            fn try_from(text: String) -> Result<$of, String> {
                text.parse()
            }
        }

        impl From<$of> for String {
            fn from(value: $of) -> String {
                value.to_string()
            }
        }
    )+};
}

pub(crate) use as_text;
