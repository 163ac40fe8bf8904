//! How the dates of one file are spelt, as far as they have been seen.

/// How dates are spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    Day,
    Digits,
    Dashes,
    Slashes,
    Custom,
    /// In a way that says more than a day.
    Instant,
    /// In one way, in which writing would not give all of them back.
    Unwritten(Way),
    /// Several ways.
    Mixed,
}

/// A way that reads more than it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Days and months may lack their zeros.
    Dashes,
    Slashes,
    /// That of a user's format: a name of a weekday may be of any language.
    Custom,
}

impl Seen {
    /// These dates and `other` ones of the same file.
    pub(super) fn and(self, other: Seen) -> Seen {
        match (self.way(), other.way()) {
            _ if self == other || other == Seen::Nothing => self,
            _ if self == Seen::Nothing => other,
            (Some(way), Some(same)) if way == same => Seen::Unwritten(way),
            _ => Seen::Mixed,
        }
    }

    fn way(self) -> Option<Way> {
        match self {
            Seen::Unwritten(way) => Some(way),
            Seen::Dashes => Some(Way::Dashes),
            Seen::Slashes => Some(Way::Slashes),
            Seen::Custom => Some(Way::Custom),
            _ => None,
        }
    }
}
