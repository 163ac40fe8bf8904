//! How people write lists: values divided by commas. A comma in a value stands behind a backslash, and so does a backslash
//! before one.

/// The values of `text`, as [`written`] writes them; an empty text is one empty value.
pub fn values(text: &str) -> Vec<String> {
    divided(text, |_| false)
}

/// The same, where a comma does not divide either that stands `inside` of a value that has begun so.
pub(crate) fn divided(text: &str, inside: impl Fn(&str) -> bool) -> Vec<String> {
    let (mut values, mut value) = (Vec::new(), String::new());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if matches!(rest.peek(), Some(',' | '\\')) => value.extend(rest.next()),
            ',' if !inside(&value) => values.push(std::mem::take(&mut value)),
            _ => value.push(c),
        }
    }
    values.push(value);
    values
}

/// `values` as one text.
pub fn written<S: AsRef<str>>(values: &[S]) -> String {
    values.iter().map(|value| one(value.as_ref())).collect::<Vec<_>>().join(",")
}

/// One value of a list.
pub fn one(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_divided_by_commas() {
        assert_eq!(values("a,b"), ["a", "b"]);
        assert_eq!(values("a\\,b,c"), ["a,b", "c"]);
        assert_eq!(values("a\\b\\"), ["a\\b\\"]);
        assert_eq!(values("a\\\\,b"), ["a\\", "b"]);
        assert_eq!(values(""), [""]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let parts = ["", ",", "\\", "a", "(", "平"];
        let mut all = vec![String::new()];
        for _ in 0..3 {
            all = all.iter().flat_map(|start| parts.map(|part| format!("{start}{part}"))).collect();
        }
        for pair in all.chunks(2) {
            assert_eq!(values(&written(pair)), pair, "{}", written(pair));
        }
    }
}
