//! Text in aligned columns.

use std::io::{self, IsTerminal};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::output;

/// The widest that a column gets on a terminal; longer texts are cut there.
const WIDEST: usize = 40;

/// Which side a column's texts keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A header and rows of texts.
#[derive(Debug)]
pub struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
    /// The widest that a column gets.
    widest: usize,
}

impl Table {
    /// A table with these columns.
    pub fn new(columns: &[(&str, Align)]) -> Table {
        let header = columns.iter().map(|(name, _)| output::escape(name)).collect();
        let widest = if io::stdout().is_terminal() { WIDEST } else { usize::MAX };
        Table { aligns: columns.iter().map(|&(_, align)| align).collect(), rows: vec![header], widest }
    }

    /// Adds a row of as many texts as there are columns.
    pub fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().map(|text| output::escape(&text)).collect());
    }

    /// Leaves out columns from the middle until a line has at most `width` cells, but none of the first `kept`.
    /// Returns how many are left out; dots stand in their place.
    pub fn fit(&mut self, width: usize, kept: usize) -> usize {
        let widths = self.widths();
        let len = |from: usize, to: usize| -> usize {
            widths[..from].iter().chain(&widths[to..]).map(|width| width + 2).sum::<usize>().saturating_sub(2)
        };
        if len(widths.len(), widths.len()) <= width || widths.len() <= kept + 1 {
            return 0;
        }
        // Columns from..to are left out; the left side grows first.
        let (mut from, mut to) = (kept, widths.len());
        let fits = |from: usize, to: usize| len(from, to) + 5 <= width;
        loop {
            let before = (from, to);
            if from < to && fits(from + 1, to) {
                from += 1;
            }
            if from < to && fits(from, to - 1) {
                to -= 1;
            }
            if before == (from, to) {
                break;
            }
        }
        for row in &mut self.rows {
            row.splice(from..to, ["...".to_owned()]);
        }
        self.aligns.splice(from..to, [Align::Left]);
        to - from
    }

    /// The table under a heading, as wide as the terminal. The first `kept` columns stay.
    pub fn under(mut self, heading: &str, kept: usize) -> String {
        if io::stdout().is_terminal() {
            self.fit(output::terminal_width(io::stdout()), kept);
        }
        format!("{heading}\n{self}")
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| self.rows.iter().map(|row| row[column].width().min(self.widest)).max().unwrap_or(0);
        (0..self.aligns.len()).map(width).collect()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = String::new();
            for ((text, width), align) in row.iter().zip(&widths).zip(&self.aligns) {
                let text = cut(text, self.widest);
                let space = " ".repeat(width.saturating_sub(text.width()));
                match align {
                    Align::Left => line.extend([text.as_str(), &space, "  "]),
                    Align::Right => line.extend([space.as_str(), &text, "  "]),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `text`, its end replaced by an ellipsis if it is too wide.
fn cut(text: &str, widest: usize) -> String {
    if text.width() <= widest {
        return text.to_owned();
    }
    let mut width = 1;
    let fits = |c: &char| {
        width += c.width().unwrap_or(0);
        width <= widest
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table =
            Table::new(&[("code", Align::Left), ("a", Align::Right), ("b", Align::Right), ("c", Align::Right)]);
        table.push(["平安".to_owned(), "1".to_owned(), "22".to_owned(), "333".to_owned()]);
        table.push(["X".to_owned(), "1".to_owned(), "2".to_owned(), "3".to_owned()]);
        table
    }

    #[test]
    fn wide_characters_stay_aligned() {
        assert_eq!(table().to_string(), "code  a   b    c\n平安  1  22  333\nX     1   2    3\n");
    }

    #[test]
    fn the_middle_is_left_out_where_there_is_no_room() {
        let mut narrow = table();
        assert_eq!(narrow.fit(15, 1), 2);
        assert_eq!(narrow.to_string(), "code  a  ...\n平安  1  ...\nX     1  ...\n");
        assert_eq!(table().fit(16, 1), 0);
        assert_eq!(table().fit(1, 1), 3);
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(cut(&"字".repeat(30), 40).width(), 39);
        assert_eq!(cut(&"x".repeat(41), 40).chars().count(), 40);
        assert_eq!(cut(&"x".repeat(40), 40), "x".repeat(40));
        assert_eq!(cut(&"x".repeat(400), usize::MAX), "x".repeat(400));
    }
}
