//! Times in the names of files and directories, and how a pattern leaves them open.

use super::month_name::month_named;
use super::naming::{is_date, is_time};
use super::period::Period;
use crate::source::options::CODE_NAMES;

/// What stands between a time and what is beside it, and between the parts of one.
const SEPARATORS: [char; 4] = ['-', '_', '.', ' '];

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

impl Inside<'_> {
    /// The name as a pattern has it, what stands beside the time open under the name `other`.
    pub(in crate::source) fn pattern(&self, other: &str) -> String {
        let Inside { before, open, behind } = self;
        let letter =
            |letter: Option<char>| letter.filter(|c| !c.is_alphanumeric()).map_or_else(String::new, String::from);
        let other = |text: &str| if text.is_empty() { String::new() } else { format!("{{{other}}}") };
        let (start, end) = (letter(before.chars().next_back()), letter(behind.chars().next()));
        format!("{}{start}{open}{end}{}", other(before), other(behind))
    }

    /// What stands beside the time, if that is on one side of it.
    pub(in crate::source) fn stem(&self) -> Option<&str> {
        let stem = match (self.before, self.behind) {
            (before, "") => before.trim_end_matches(SEPARATORS),
            ("", behind) => behind.trim_start_matches(SEPARATORS),
            _ => "",
        };
        (!stem.is_empty()).then_some(stem)
    }

    /// What such times are: `years`.
    pub(in crate::source) fn times(&self) -> &'static str {
        let kinds = [
            ("{date}", "dates"),
            ("{day}", "dates"),
            ("{week}", "weeks"),
            ("{quarter}", "quarters"),
            ("{half}", "half-years"),
            ("{month}", "months"),
            ("{period}", "months"),
        ];
        kinds.iter().find(|(name, _)| self.open.contains(name)).map_or("years", |(_, times)| times)
    }
}

/// A part of a time, as a name spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Half,
    Quarter,
    Month,
    Week,
    Day,
}

/// The orders in which names have the parts of a time, the likelier ones first.
const ORDERS: [&[Part]; 12] = [
    &[Part::Year],
    &[Part::Year, Part::Month],
    &[Part::Month, Part::Year],
    &[Part::Year, Part::Quarter],
    &[Part::Quarter, Part::Year],
    &[Part::Year, Part::Half],
    &[Part::Half, Part::Year],
    &[Part::Year, Part::Week],
    &[Part::Week, Part::Year],
    &[Part::Year, Part::Month, Part::Day],
    &[Part::Day, Part::Month, Part::Year],
    &[Part::Month, Part::Day, Part::Year],
];

/// A part at the start of a text: how a pattern has it, and what follows.
struct Taken<'a> {
    open: String,
    rest: &'a str,
    /// Whether it has letters, so that nobody takes it for another part.
    is_named: bool,
    /// Whether it is a year of two digits, which only stands beside what has letters.
    is_short: bool,
}

impl Part {
    /// The ways in which `text` begins with this part.
    fn taken(self, text: &str) -> Vec<Taken<'_>> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let letters = text.len() - text.trim_start_matches(char::is_alphabetic).len();
        let number_of = |text: &str| text.parse::<u32>().ok();
        let plain = |open: &str, is_short: bool| {
            let rest = &text[digits..];
            Taken { open: open.to_owned(), rest, is_named: false, is_short }
        };
        // A number behind letters, or before one.
        let lettered = |words: &[&str], name: &str, last: u32| {
            let (word, behind) = text.split_at(letters);
            let number = behind.trim_start_matches(SEPARATORS);
            let len = number.len() - number.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let is_one = words.iter().any(|known| known.eq_ignore_ascii_case(word))
                && (1..=2).contains(&len)
                && number_of(&number[..len]).is_some_and(|number| (1..=last).contains(&number));
            let between = &text[..text.len() - number.len()];
            is_one.then(|| Taken {
                open: format!("{between}{{{name}}}"),
                rest: &number[len..],
                is_named: true,
                is_short: false,
            })
        };
        let before_letter = |letter: char, name: &str, last: u32| {
            let (number, behind) = text.split_at(digits);
            let rest = behind.strip_prefix([letter, letter.to_ascii_lowercase()])?;
            let is_one = digits == 1 && number_of(number).is_some_and(|number| (1..=last).contains(&number));
            let open = format!("{{{name}}}{}", &behind[..1]);
            is_one.then_some(Taken { open, rest, is_named: true, is_short: false })
        };
        let number = number_of(&text[..digits]).filter(|_| digits <= 2);
        let has = |last: u32| number.is_some_and(|number| (1..=last).contains(&number));
        let found: [Option<Taken>; 2] = match self {
            Part::Year => {
                let is_year = digits == 4 && is_time(&text[..4]);
                let fiscal = text.get(..2).filter(|word| word.eq_ignore_ascii_case("FY")).and_then(|word| {
                    let year = &text[2..];
                    let len = year.len() - year.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                    let is_one = len == 2 || (len == 4 && is_time(&year[..4]));
                    let open = format!("{word}{{year}}");
                    is_one.then(|| Taken { open, rest: &year[len..], is_named: true, is_short: false })
                });
                let short = (digits == 2).then(|| plain("{year}", true));
                [is_year.then(|| plain("{year}", false)).or(short), fiscal]
            }
            Part::Half => [lettered(&["H", "S"], "half", 2), before_letter('H', "half", 2)],
            Part::Quarter => [lettered(&["Q", "T", "qtr"], "quarter", 4), before_letter('Q', "quarter", 4)],
            Part::Month => {
                let named = month_named(&text[..letters]).map(|_| Taken {
                    open: "{month}".to_owned(),
                    rest: &text[letters..],
                    is_named: true,
                    is_short: false,
                });
                [has(12).then(|| plain("{month}", false)), named]
            }
            Part::Week => [lettered(&["W", "KW", "wk", "week"], "week", 53), has(53).then(|| plain("{week}", false))],
            Part::Day => [has(31).then(|| plain("{day}", false)), None],
        };
        found.into_iter().flatten().collect()
    }
}

/// How a pattern may leave the time open that `text` is in these parts.
fn in_parts(text: &str, parts: &[Part]) -> Option<String> {
    /// `open` with what `text` has of the other parts.
    fn go(open: &str, text: &str, parts: &[Part], mark: Option<&str>, kinds: (bool, bool)) -> Option<String> {
        let Some((part, others)) = parts.split_first() else {
            let (has_short, has_named) = kinds;
            return (text.is_empty() && (!has_short || has_named)).then(|| open.to_owned());
        };
        let (between, text) = match open {
            "" => ("", text),
            _ => text.split_at(text.len() - text.trim_start_matches(SEPARATORS).len()),
        };
        // The parts of one time stand apart by one letter, or by none.
        if between.len() > 1 || (mark.is_some_and(|mark| mark != between)) {
            return None;
        }
        let mark = if open.is_empty() { None } else { Some(between) };
        part.taken(text).into_iter().find_map(|Taken { open: next, rest, is_named, is_short }| {
            let open = format!("{open}{between}{next}");
            go(&open, rest, others, mark, (kinds.0 || is_short, kinds.1 || is_named))
        })
    }
    let open = go("", text, parts, None, (false, false))?;
    match open.contains("}{") {
        false => Some(open),
        // Two of a pattern's placeholders must stand apart.
        true => {
            Period::named(text).map(|period| if period.only().is_some() { "{date}" } else { "{period}" }.to_owned())
        }
    }
}

/// How a pattern may leave the time open that `value` is, which stands behind `key` if that has letters, the likelier
/// way first; none if it is no time. A number is a month or a day only where a year is above it, or a key says so.
pub(in crate::source) fn open_times(key: &str, value: &str, around: Around) -> Vec<String> {
    let key = key.trim_end_matches('=').to_ascii_lowercase();
    if CODE_NAMES.contains(&&key[..]) {
        return Vec::new();
    }
    let is_number = (1..=2).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse::<u32>().ok().filter(|_| is_number);
    let named = |names: &[&str], last: u32| names.contains(&&key[..]) && number.is_some_and(|n| n <= last);
    let is_bare = key.is_empty();
    let only = |open: &str| vec![open.to_owned()];
    match number {
        _ if named(&["month", "mon", "mm", "m"], 12) => only("{month}"),
        _ if named(&["day", "dd", "d"], 31) => only("{day}"),
        _ if named(&["quarter", "qtr", "q"], 4) => only("{quarter}"),
        _ if named(&["half", "h"], 2) => only("{half}"),
        _ if named(&["week", "w"], 53) => only("{week}"),
        _ if named(&["hour", "hh", "h"], 23) => only("{hour}"),
        Some(1..=31) if is_bare && around.is_below_month => only("{day}"),
        Some(1..=12) if is_bare && around.is_below_year => vec!["{month}".to_owned(), "{week}".to_owned()],
        Some(1..=53) if is_bare && around.is_below_year => only("{week}"),
        Some(_) => Vec::new(),
        None => {
            let mut opens = whole(value);
            if around.has_year {
                let parts = [Part::Month, Part::Quarter, Part::Half, Part::Week];
                opens.extend(parts.iter().filter_map(|part| in_parts(value, std::slice::from_ref(part))));
            }
            opens
        }
    }
}

/// How a pattern may leave `text` open, which says by itself which time it is: `2024`, `2024-01-02`, `2024Q1`,
/// `02.01.2024`, `Jan-2024`.
fn whole(text: &str) -> Vec<String> {
    let period = Period::named(text);
    let known = match () {
        () if is_date(text) || period.is_some_and(|period| period.only().is_some()) => Some("{date}"),
        () if text.len() == 4 && is_time(text) => Some("{year}"),
        () => period.map(|_| "{period}"),
    };
    let parts = ORDERS.iter().filter_map(|parts| in_parts(text, parts));
    let mut opens: Vec<String> = known.map(str::to_owned).into_iter().collect();
    for open in parts {
        if !opens.contains(&open) {
            opens.push(open);
        }
    }
    opens
}

/// The times in `name` that stand apart from letters and digits, as in `A_2024`, or are dates, the first one first;
/// below a year, also a month at an end. None lies in another.
pub(in crate::source) fn times_inside(name: &str, around: Around) -> Vec<Inside<'_>> {
    let beside = |at: usize| [name[..at].chars().next_back(), name[at..].chars().next()];
    let is_edge = |at: &usize| beside(*at).iter().any(|letter| letter.is_none_or(|letter| !letter.is_ascii_digit()));
    let is_apart = |at: usize| beside(at).iter().any(|letter| letter.is_none_or(|letter| !letter.is_alphanumeric()));
    let edges: Vec<usize> = name.char_indices().map(|(at, _)| at).chain([name.len()]).filter(is_edge).collect();
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut times = Vec::new();
    for (n, &start) in edges.iter().enumerate() {
        for &end in edges[n + 1..].iter().rev() {
            let text = &name[start..end];
            let (before, behind) = (&name[..start], &name[end..]);
            // Of other times letters beside them make something else, as of `IC2005`.
            let is_one = (is_apart(start) && is_apart(end)) || is_date(text);
            if !is_one || text.starts_with(SEPARATORS) || text.ends_with(SEPARATORS) || text.len() == name.len() {
                continue;
            }
            if found.iter().any(|(from, to)| *from <= start && end <= *to) {
                break;
            }
            let is_at_end = start == 0 || end == name.len();
            let mut opens = whole(text);
            if opens.is_empty() && is_at_end {
                opens = open_times("", text, Around { is_below_month: false, ..around });
            }
            // Where the letter beside is one inside, too, a placeholder would take less than it is.
            let is_beside = |letter: char| before.ends_with(letter) || behind.starts_with(letter);
            if text.contains(is_beside) {
                opens.retain(|open| open.contains(is_beside));
            }
            if !opens.is_empty() {
                found.push((start, end));
                times.extend(opens.into_iter().map(|open| Inside { before, open, behind }));
            }
        }
    }
    times
}

/// Whether `name` is a time, or has one in it.
pub(in crate::source) fn is_of_time(name: &str, around: Around) -> bool {
    !open_times("", name, around).is_empty() || !times_inside(name, around).is_empty()
}

/// A name with its numbers and the names of months apart, which those of pieces differ in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Numbered<'a> {
    pub(in crate::source) numbers: Vec<u64>,
    /// What stands between them, and `None` in the place of each.
    pub(in crate::source) shape: Vec<Option<&'a str>>,
}

impl Numbered<'_> {
    /// Of `name`, if it has such.
    pub(in crate::source) fn of(name: &str) -> Option<Numbered<'_>> {
        let (mut numbers, mut shape) = (Vec::new(), Vec::new());
        let mut rest = name;
        while let Some(first) = rest.chars().next() {
            let is_part =
                |c: char| (c.is_alphabetic(), c.is_ascii_digit()) == (first.is_alphabetic(), first.is_ascii_digit());
            let (part, behind) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
            let number = match first.is_ascii_digit() {
                true => Some(part.parse().unwrap_or(u64::MAX)),
                false => month_named(part).map(u64::from),
            };
            shape.push(if number.is_some() { None } else { Some(part) });
            numbers.extend(number);
            rest = behind;
        }
        (!numbers.is_empty()).then_some(Numbered { numbers, shape })
    }
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
            ("", "2-Jan-2024", Around::default(), Some("{day}-{month}-{year}")),
            ("", "02Jan2024", Around::default(), Some("{date}")),
            ("", "2024_01", Around::default(), Some("{year}_{month}")),
            ("", "01-2024", Around::default(), Some("{month}-{year}")),
            ("", "Jan-2024", Around::default(), Some("{month}-{year}")),
            ("", "2024 März", Around::default(), Some("{year} {month}")),
            ("", "Jan2024", Around::default(), Some("{period}")),
            ("", "2024Q1", Around::default(), Some("{year}Q{quarter}")),
            ("", "Q1-2024", Around::default(), Some("Q{quarter}-{year}")),
            ("", "1Q24", Around::default(), Some("{quarter}Q{year}")),
            ("", "24Q1", Around::default(), Some("{year}Q{quarter}")),
            ("", "FY24Q1", Around::default(), Some("FY{year}Q{quarter}")),
            ("", "FY2024", Around::default(), Some("FY{year}")),
            ("", "2024-H2", Around::default(), Some("{year}-H{half}")),
            ("", "2024-W05", Around::default(), Some("{year}-W{week}")),
            ("", "2024W05", Around::default(), Some("{year}W{week}")),
            ("", "2024_53", Around::default(), Some("{year}_{week}")),
            ("year=", "2024", Around::default(), Some("{year}")),
            ("month=", "1", Around::default(), Some("{month}")),
            ("month=", "2024-01", Around::default(), Some("{period}")),
            ("day=", "31", Around::default(), Some("{day}")),
            ("", "01", BELOW_YEAR, Some("{month}")),
            ("", "12", BELOW_YEAR, Some("{month}")),
            ("", "13", BELOW_YEAR, Some("{week}")),
            ("", "31", BELOW_MONTH, Some("{day}")),
            ("", "Q1", BELOW_YEAR, Some("Q{quarter}")),
            ("", "Jan", BELOW_YEAR, Some("{month}")),
            ("", "week_5", BELOW_YEAR, Some("week_{week}")),
            ("", "54", BELOW_YEAR, None),
            ("", "700", BELOW_YEAR, None),
            ("", "1", Around::default(), None),
            ("", "24", Around::default(), None),
            ("", "24-01", Around::default(), None),
            ("", "Q1", Around::default(), None),
            ("", "H4", BELOW_YEAR, None),
            ("", "202413", Around::default(), None),
            ("symbol=", "2024", Around::default(), None),
            ("symbol=", "1", BELOW_YEAR, None),
            ("", "AAPL", BELOW_MONTH, None),
            ("", "600519", BELOW_YEAR, None),
            ("", "IF2401", BELOW_YEAR, None),
            ("", "", BELOW_YEAR, None),
        ] {
            assert_eq!(open_times(key, value, around).first().map(String::as_str), open, "{key}{value}");
        }
        // All names of a folder decide together.
        assert_eq!(open_times("", "2024_05", Around::default()), ["{year}_{month}", "{year}_{week}"]);
        let day_first = ["{day}-{month}-{year}", "{month}-{day}-{year}"];
        assert_eq!(open_times("", "02-01-2024", Around::default()), day_first);
    }

    #[test]
    fn times_inside_a_name_are_found_with_what_stands_beside_them() {
        for (name, around, found) in [
            ("bars_20240102", Around::default(), Some(("bars_", "{date}", ""))),
            ("20240102_bars", Around::default(), Some(("", "{date}", "_bars"))),
            ("bars_2024-01", Around::default(), Some(("bars_", "{period}", ""))),
            ("A-2024-01", Around::default(), Some(("A-", "{year}-{month}", ""))),
            ("A-2024-01-05", Around::default(), Some(("A-", "{year}-{month}-{day}", ""))),
            ("A-Jan-2024", Around::default(), Some(("A-", "{month}-{year}", ""))),
            ("2024_A", Around::default(), Some(("", "{year}", "_A"))),
            ("AAPL_01", BELOW_YEAR, Some(("AAPL_", "{month}", ""))),
            ("AAPL_01", Around::default(), None),
            ("bars20240102", Around::default(), Some(("bars", "{date}", ""))),
            ("IC2005", Around::default(), None),
            ("c120240102", Around::default(), None),
            ("sz_200066", Around::default(), None),
            ("A_1.5", Around::default(), None),
            ("2024", Around::default(), None),
            ("A_2024x", Around::default(), None),
            ("D_2401", Around::default(), None),
        ] {
            let inside = times_inside(name, around);
            let inside = inside.first().map(|Inside { before, open, behind }| (*before, &open[..], *behind));
            assert_eq!(inside, found, "{name}");
        }
        // A code may look like a time.
        let both = times_inside("200012_01", BELOW_YEAR);
        let patterns: Vec<String> = both.iter().map(|inside| inside.pattern("code")).collect();
        assert_eq!(patterns[..2], ["{period}_{code}", "{code}_{month}"]);
    }

    #[test]
    fn numbered_names_are_alike_but_for_numbers_and_months() {
        let shape = |name| Numbered::of(name).map(|numbered| numbered.shape);
        for (one, other, are_alike) in [
            ("week_1", "week_12", true),
            ("part-0000", "part-0001", true),
            ("Jan", "Feb", true),
            ("600519", "000001", true),
            ("000001.SZ", "600519.SH", false),
            ("week_1", "day_1", false),
        ] {
            assert_eq!(shape(one) == shape(other), are_alike, "{one} {other}");
        }
        assert_eq!(Numbered::of("week_12-Feb").unwrap().numbers, [12, 2]);
        assert_eq!([Numbered::of("AAPL"), Numbered::of("")], [None, None]);
    }

    #[test]
    fn what_stands_beside_a_time_is_told_from_it() {
        for (name, stem, pattern, times) in [
            ("AAPL_2023", "AAPL", "{code}_{year}", "years"),
            ("BRK.B-2023", "BRK.B", "{code}-{year}", "years"),
            ("A_202201", "A", "{code}_{period}", "months"),
            ("BRK-B-2022-01", "BRK-B", "{code}-{year}-{month}", "months"),
            ("000001.SZ_20220105", "000001.SZ", "{code}_{date}", "dates"),
            ("A_2022Q1", "A", "{code}_{year}Q{quarter}", "quarters"),
            ("2023_AAPL", "AAPL", "{year}_{code}", "years"),
            ("20230105_BRK.B", "BRK.B", "{date}_{code}", "dates"),
        ] {
            let found = times_inside(name, Around::default()).into_iter().next();
            let found = found.as_ref().map(|inside| (inside.stem().unwrap(), inside.pattern("code"), inside.times()));
            assert_eq!(found, Some((stem, pattern.to_owned(), times)), "{name}");
        }
    }
}
