//! What the ends of messages are made of: names that come near one that is not there, lists that end, and words as a
//! shell takes them.

use std::borrow::Cow;
use std::fmt::Display;

use crate::remedy::{Operation, Remedy};

/// Names that are told before a list ends.
const LISTED: usize = 5;
/// Names that are told as near ones.
const NEAR: usize = 3;
/// Longer names are no slips of each other, and would take long to compare.
const LONGEST: usize = 64;

/// Those of `names` that `name` is likeliest a slip of: the same in another case, a few letters off, or one that holds
/// the other. At most three.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let wanted = name.to_lowercase();
    let len = wanted.chars().count();
    let mut near: Vec<(usize, &str)> = Vec::new();
    for known in names.into_iter().filter(|known| known.len() <= LONGEST && name.len() <= LONGEST) {
        let lower = known.to_lowercase();
        let longer = len.max(lower.chars().count());
        let holds = len.min(lower.chars().count()) >= 3 && (lower.contains(&wanted) || wanted.contains(&lower));
        let distance = strsim::osa_distance(&wanted, &lower);
        // A third of the letters: `clsoe` and `close` are near, `open` and `close` are not.
        if holds || distance * 3 <= longer {
            near.push((distance, known));
        }
    }
    near.sort_unstable();
    let least = near.first().map_or(0, |&(distance, _)| distance);
    near.into_iter().take_while(|&(distance, _)| distance == least).take(NEAR).map(|(_, known)| known).collect()
}

/// `name`, quoted, with those of `names` that it may be a slip of.
pub(crate) fn slip<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    match nearest(name, names)[..] {
        [] => format!("{name:?}"),
        ref near => format!("{name:?} ({}?)", near.join(" or ")),
    }
}

/// `names`, quoted; where they are several, each with those of `known` that it may be a slip of.
pub(crate) fn slips(names: &[&str], known: &[&str]) -> String {
    match names {
        [only] => format!("{only:?}"),
        several => listed(&several.iter().map(|name| slip(name, known.iter().copied())).collect::<Vec<_>>()),
    }
}

/// What to say to who asked for `name`: the nearest of `names`, or what they are, which are the `what` of something.
/// `whole` lists them where they are too many to be told.
pub(crate) fn instead(name: &str, names: &[&str], what: &str, whole: Option<Operation>) -> Remedy {
    match (&nearest(name, names.iter().copied())[..], whole) {
        ([], Some(whole)) if names.len() > LISTED => Remedy::run(whole, format!("lists the {what}: {}", listed(names))),
        ([], _) => Remedy::Do(format!("the {what} are {}", listed(names))),
        ([one], _) => Remedy::Do(format!("did you mean {one}?")),
        ([most @ .., last], _) => Remedy::Do(format!("did you mean {} or {last}?", most.join(", "))),
    }
}

/// `a, b and c`; of a long list the first few: `a, b, c, d, e and 37 more`.
pub fn listed<T: Display>(items: &[T]) -> String {
    let shown: Vec<String> = items.iter().take(LISTED).map(T::to_string).collect();
    match (shown.as_slice(), items.len() - shown.len()) {
        ([], _) => "none".to_owned(),
        ([one], 0) => one.clone(),
        ([most @ .., last], 0) => format!("{} and {last}", most.join(", ")),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 file`, `2 files`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `text` beside others: bare, nobody sees an empty one, nor a blank at an end.
pub fn visible(text: &str) -> Cow<'_, str> {
    match !text.is_empty() && text.trim() == text {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("{text:?}")),
    }
}

/// `text` as a shell takes it for one word.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_./=,:@%+-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let escaped = text.chars().map(|c| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_are_slips_of_the_pen() {
        let columns = ["open", "high", "low", "close", "volume", "amount", "adj_close", "Turnover Rate"];
        let near = |name| nearest(name, columns);
        assert_eq!(near("clsoe"), ["close"]);
        assert_eq!(near("CLOSE"), ["close"]);
        assert_eq!(near("vol"), ["volume"]);
        assert_eq!(near("volme"), ["volume"]);
        assert_eq!(near("turnover"), ["Turnover Rate"]);
        assert_eq!(near("pe_ttm"), [""; 0]);
        assert_eq!(near(""), [""; 0]);
        assert_eq!(nearest("600519", ["600518.SH", "600519.SH", "000001.SZ"]), ["600519.SH"]);
        assert_eq!(nearest("sh600519", ["600518.SH", "600519.SH", "sh600518"]), ["sh600518"]);
        assert_eq!(nearest(&"x".repeat(1 << 20), ["x", &"x".repeat(1 << 20)]), [""; 0]);
    }

    #[test]
    fn long_lists_end() {
        assert_eq!(listed(&["a"; 0]), "none");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(listed(&[1, 2, 3, 4, 5]), "1, 2, 3, 4 and 5");
        assert_eq!(listed(&[1; 42]), "1, 1, 1, 1, 1 and 37 more");
    }

    #[test]
    fn who_names_nothing_that_is_near_is_told_what_there_is() {
        let instead = |name, names: &[&str], whole| instead(name, names, "columns", whole);
        let told = |text: &str| Remedy::Do(text.to_owned());
        assert_eq!(instead("clse", &["open", "close"], Some(Operation::Info)), told("did you mean close?"));
        assert_eq!(instead("pe", &["open", "close"], Some(Operation::Info)), told("the columns are open and close"));
        let many = ["a", "b", "c", "d", "e", "f"];
        assert_eq!(instead("pe", &many, None), told("the columns are a, b, c, d, e and 1 more"));
        assert_eq!(
            instead("pe", &many, Some(Operation::Info)),
            Remedy::run(Operation::Info, "lists the columns: a, b, c, d, e and 1 more")
        );
    }

    #[test]
    fn words_are_quoted_for_a_shell_where_they_must() {
        assert_eq!(quoted("a/b.store"), "a/b.store");
        assert_eq!(quoted("it's {code}"), "'it'\\''s {code}'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's\n"), "$'it\\'s\\u000a'");
    }
}
