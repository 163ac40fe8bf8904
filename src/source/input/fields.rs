//! What the fields of a column of text look like, and where those of several files meet.

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

/// What all fields of a column look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in crate::source) struct Fields {
    pub(in crate::source) guess: Guess,
    /// Whether each that is there has eight digits, as a date has.
    pub(in crate::source) has_eight_digits: bool,
}

/// What fields look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::source) enum Guess {
    /// All are empty.
    Nothing,
    Boolean,
    /// Integers of 64 bits.
    Integer {
        /// Whether doubles hold all of them.
        is_exact: bool,
    },
    Double,
    Text,
}

impl Guess {
    /// Whether they are numbers, or true and false.
    pub(in crate::source) fn is_value(self) -> bool {
        !matches!(self, Guess::Nothing | Guess::Text)
    }

    fn join(self, other: Guess) -> Guess {
        match (self, other) {
            (Guess::Nothing, one) | (one, Guess::Nothing) => one,
            (one, other) if one == other => one,
            (Guess::Integer { .. }, Guess::Integer { .. }) => Guess::Integer { is_exact: false },
            (Guess::Double, Guess::Integer { is_exact: true }) | (Guess::Integer { is_exact: true }, Guess::Double) => {
                Guess::Double
            }
            _ => Guess::Text,
        }
    }

    /// The type that holds such fields.
    fn data_type(self) -> DataType {
        match self {
            Guess::Nothing => DataType::Null,
            Guess::Boolean => DataType::Boolean,
            Guess::Integer { .. } => DataType::Int64,
            Guess::Double => DataType::Float64,
            Guess::Text => DataType::Utf8,
        }
    }
}

impl Fields {
    /// Of a column without a field.
    pub(in crate::source) const NONE: Fields = Fields { guess: Guess::Nothing, has_eight_digits: true };

    /// What fields of both look like.
    pub(in crate::source) fn join(self, other: Fields) -> Fields {
        let has_eight_digits = self.has_eight_digits && other.has_eight_digits;
        Fields { guess: self.guess.join(other.guess), has_eight_digits }
    }

    /// The type as which they are read; `cast` is that of a user. A number may become another one, and all else is made of
    /// the text.
    pub(in crate::source) fn raw(self, cast: Option<&DataType>) -> DataType {
        match (self.guess, cast) {
            (Guess::Nothing, _) => DataType::Null,
            (guess @ (Guess::Integer { .. } | Guess::Double), Some(to)) if to.is_integer() || to.is_floating() => {
                guess.data_type()
            }
            (Guess::Boolean, Some(DataType::Boolean)) => DataType::Boolean,
            (_, Some(_)) => DataType::Utf8,
            (guess, None) => guess.data_type(),
        }
    }

    /// The type as which dates are read: text where they are spelt as such.
    pub(in crate::source) fn raw_of_date(self, raw: DataType, counts: bool, has_format: bool) -> DataType {
        let is_spelt = (self.has_eight_digits && !counts) || has_format;
        if raw == DataType::Int64 && is_spelt { DataType::Utf8 } else { raw }
    }

    /// Whether they may be codes, which are text whatever they look like.
    pub(in crate::source) fn may_be_codes(self) -> bool {
        self.guess != Guess::Nothing
    }
}
