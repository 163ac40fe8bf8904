//! Times in the names of files and directories, and how a pattern leaves them open.

use super::naming::{is_date, is_time};
use super::period::Period;
use crate::source::options::CODE_NAMES;

/// What the other steps of a path say of the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::source) struct Around {
    /// Whether one of them has a year.
    pub(in crate::source) has_year: bool,
    /// Whether one above has it.
    pub(in crate::source) is_below_year: bool,
    /// Whether one above has a month.
    pub(in crate::source) is_below_month: bool,
}

/// A time in a name, between what stands before and behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Inside<'a> {
    pub(in crate::source) before: &'a str,
    /// The time, as a pattern has it.
    pub(in crate::source) open: String,
    pub(in crate::source) behind: &'a str,
}

/// How a pattern leaves the time open that `value` is, which stands behind `key` if that has letters; `None` if it is
/// none. A number is a month or a day only where a year is above it, or a key says so.
pub(in crate::source) fn open_time(key: &str, value: &str, around: Around) -> Option<String> {
    let key = key.trim_end_matches('=').to_ascii_lowercase();
    if CODE_NAMES.contains(&&key[..]) {
        return None;
    }
    let is_number = (1..=2).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse::<u32>().ok().filter(|_| is_number);
    let named = |names: &[&str], last: u32| names.contains(&&key[..]) && number.is_some_and(|n| n <= last);
    let open = match number {
        _ if named(&["month", "mon", "mm", "m"], 12) => "{month}",
        _ if named(&["day", "dd", "d"], 31) => "{day}",
        _ if named(&["quarter", "qtr", "q"], 4) => "{quarter}",
        _ if named(&["week", "w"], 53) => "{week}",
        _ if named(&["hour", "hh", "h"], 23) => "{hour}",
        Some(1..=31) if key.is_empty() && around.is_below_month => "{day}",
        Some(1..=12) if key.is_empty() && around.is_below_year => "{month}",
        Some(_) => return None,
        None => return whole(value).or_else(|| part_of_year(value).filter(|_| around.has_year)),
    };
    Some(open.to_owned())
}

/// How a pattern leaves `text` open, which says by itself which time it is: `2024`, `2024-01-02`, `2024Q1`,
/// `02.01.2024`.
fn whole(text: &str) -> Option<String> {
    let year = |text: &str| text.len() == 4 && is_time(text);
    let known = match () {
        () if is_date(text) => Some("{date}"),
        () if year(text) => Some("{year}"),
        () if Period::named(text).is_some() => Some("{period}"),
        () => None,
    };
    known.map(str::to_owned).or_else(|| spelt_out(text)).or_else(|| {
        let (_, rest) = text.split_at_checked(4).filter(|(first, _)| year(first))?;
        let part = rest.trim_start_matches(['-', '_']);
        Some(format!("{{year}}{}{}", &rest[..rest.len() - part.len()], part_of_year(part)?))
    })
}

/// As [`whole`], of a date or a month with a letter between its numbers, each of which is left open.
fn spelt_out(text: &str) -> Option<String> {
    let letter = text.chars().find(|letter| "-_.".contains(*letter))?;
    let numbers: Vec<&str> = text.split(letter).collect();
    let date = |year: &str, month: &str, day: &str| {
        let are_numbers = [year, month, day].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        let [month, day] = [month, day].map(|part| format!("{part:0>2}"));
        are_numbers && year.len() == 4 && is_time(year) && is_date(&format!("{year}{month}{day}"))
    };
    match numbers[..] {
        [year, month] if date(year, month, "1") => Some(format!("{{year}}{letter}{{month}}")),
        [year, month, day] if date(year, month, day) => Some(format!("{{year}}{letter}{{month}}{letter}{{day}}")),
        [day, month, year] if date(year, month, day) => Some(format!("{{day}}{letter}{{month}}{letter}{{year}}")),
        _ => None,
    }
}

/// `Q1` or `H2`, as a pattern has it.
fn part_of_year(text: &str) -> Option<String> {
    let (letter, name) = match text {
        "Q1" | "Q2" | "Q3" | "Q4" | "q1" | "q2" | "q3" | "q4" => (&text[..1], "quarter"),
        "H1" | "H2" | "h1" | "h2" => (&text[..1], "half"),
        _ => return None,
    };
    Some(format!("{letter}{{{name}}}"))
}

/// The first time in `name` that stands apart from letters and digits, as in `A_2024`, or is a date; below a year,
/// also a month at an end.
pub(in crate::source) fn time_inside(name: &str, around: Around) -> Option<Inside<'_>> {
    let beside = |at: usize| [name[..at].chars().next_back(), name[at..].chars().next()];
    let is_edge = |at: &usize| beside(*at).iter().any(|letter| letter.is_none_or(|letter| !letter.is_ascii_digit()));
    let is_apart = |at: usize| beside(at).iter().any(|letter| letter.is_none_or(|letter| !letter.is_alphanumeric()));
    let edges: Vec<usize> = name.char_indices().map(|(at, _)| at).chain([name.len()]).filter(is_edge).collect();
    let ends = |start: &usize| {
        let start = *start;
        edges.iter().rev().copied().filter(move |end| start < *end).map(move |end| (start, end))
    };
    // Of other times letters beside them make something else, as of `IC2005`.
    let is_one = |&(start, end): &(usize, usize)| (is_apart(start) && is_apart(end)) || is_date(&name[start..end]);
    let spans = edges.iter().flat_map(ends).filter(is_one);
    let found = spans.clone().find_map(|(start, end)| {
        let (before, text, behind) = (&name[..start], &name[start..end], &name[end..]);
        // Where the letter beside is one inside, too, a date would take less than it is.
        let is_beside = |letter: char| before.ends_with(letter) || behind.starts_with(letter);
        let open = whole(text)?;
        let open = if text.contains(is_beside) { spelt_out(text).unwrap_or(open) } else { open };
        Some(Inside { before, open, behind })
    });
    found.or_else(|| {
        let is_at_end = |&(start, end): &(usize, usize)| (start == 0) != (end == name.len());
        spans.filter(is_at_end).find_map(|(start, end)| {
            let open = open_time("", &name[start..end], Around { is_below_month: false, ..around })?;
            Some(Inside { before: &name[..start], open, behind: &name[end..] })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BELOW_YEAR: Around = Around { has_year: true, is_below_year: true, is_below_month: false };
    const BELOW_MONTH: Around = Around { is_below_month: true, ..BELOW_YEAR };

    #[test]
    fn times_are_left_open_as_they_are_spelt() {
        for (key, value, around, open) in [
            ("", "2024", Around::default(), Some("{year}")),
            ("", "202401", Around::default(), Some("{period}")),
            ("", "2024-01", Around::default(), Some("{period}")),
            ("", "20240102", Around::default(), Some("{date}")),
            ("", "02.01.2024", Around::default(), Some("{day}.{month}.{year}")),
            ("", "2024_01", Around::default(), Some("{year}_{month}")),
            ("", "2024Q1", Around::default(), Some("{year}Q{quarter}")),
            ("", "2024-H2", Around::default(), Some("{year}-H{half}")),
            ("year=", "2024", Around::default(), Some("{year}")),
            ("month=", "1", Around::default(), Some("{month}")),
            ("month=", "2024-01", Around::default(), Some("{period}")),
            ("day=", "31", Around::default(), Some("{day}")),
            ("", "01", BELOW_YEAR, Some("{month}")),
            ("", "12", BELOW_YEAR, Some("{month}")),
            ("", "31", BELOW_MONTH, Some("{day}")),
            ("", "Q1", BELOW_YEAR, Some("Q{quarter}")),
            ("", "13", BELOW_YEAR, None),
            ("", "700", BELOW_YEAR, None),
            ("", "1", Around::default(), None),
            ("", "Q1", Around::default(), None),
            ("", "H4", BELOW_YEAR, None),
            ("symbol=", "2024", Around::default(), None),
            ("symbol=", "1", BELOW_YEAR, None),
            ("", "AAPL", BELOW_MONTH, None),
            ("", "600519", BELOW_YEAR, None),
            ("", "", BELOW_YEAR, None),
        ] {
            assert_eq!(open_time(key, value, around).as_deref(), open, "{key}{value}");
        }
    }

    #[test]
    fn a_time_inside_a_name_is_found_with_what_stands_beside_it() {
        for (name, around, found) in [
            ("bars_20240102", Around::default(), Some(("bars_", "{date}", ""))),
            ("20240102_bars", Around::default(), Some(("", "{date}", "_bars"))),
            ("bars_2024-01", Around::default(), Some(("bars_", "{period}", ""))),
            ("A-2024-01", Around::default(), Some(("A-", "{year}-{month}", ""))),
            ("2024_A", Around::default(), Some(("", "{year}", "_A"))),
            ("AAPL_01", BELOW_YEAR, Some(("AAPL_", "{month}", ""))),
            ("AAPL_01", Around::default(), None),
            ("bars20240102", Around::default(), Some(("bars", "{date}", ""))),
            ("IC2005", Around::default(), None),
            ("c120240102", Around::default(), None),
            ("sz_200066", Around::default(), None),
            ("A_1.5", Around::default(), None),
        ] {
            let inside = time_inside(name, around);
            let inside = inside.as_ref().map(|Inside { before, open, behind }| (*before, &open[..], *behind));
            assert_eq!(inside, found, "{name}");
        }
    }
}
