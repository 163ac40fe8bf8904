//! What a csv file says of itself: the names in its first line, and what all fields below look like.

use std::sync::Arc;

use parquet::file::reader::Length;

use super::decode::Csv;
use super::guess::fields;
use super::records::records;
use crate::reason::{Kind, Reason};
use crate::remedy::Remedy;
use crate::source::allowance::ROW_LEN;
use crate::source::content::{Content, guarded};
use crate::source::convert::cut;
use crate::source::input::fields::{Fields, Guess};
use crate::source::input::interner::Interner;
use crate::source::input::parts::INDEX_NAME;
use crate::source::input::schema::{FileColumn, Footer, Odd};

/// Columns of one file of which it is told what makes them text.
const TOLD: usize = 20;

/// What a csv file says of itself. Reads all of it, and keeps nothing.
///
/// # Errors
/// The reason to skip the file.
pub(in crate::source) fn survey_csv(content: &Content, interner: &Interner) -> Result<Footer, Reason> {
    guarded(|| {
        let mut records = records(content, &interner.allowance)?;
        interner.check_own(records.names.iter())?;
        let mut found = vec![Fields::NONE; records.names.len()];
        let mut odd: Vec<Option<Odd>> = records.names.iter().map(|_| None).collect();
        let mut row_count = 0_u64;
        while records.next()? {
            row_count += 1;
            let rows_len = row_count.saturating_mul(ROW_LEN);
            if rows_len > interner.allowance.most() {
                let what = format!("has {row_count} rows or more, whose dates alone");
                // What it takes decoded, at most: with less it would be refused again.
                return Err(interner.allowance.refusal_of(&what, rows_len, content.len().saturating_mul(8)));
            }
            for (leaf, (text, known)) in records.texts().zip(&mut found).enumerate() {
                let text = text?;
                let own = fields(text, &interner.options.nulls);
                let joined = known.join(own);
                match &mut odd[leaf] {
                    Some(odd) => odd.has_values |= own.guess.is_value(),
                    odd if joined.guess == Guess::Text => {
                        let has_values = known.guess.is_value();
                        let is_value = own.guess.is_value();
                        *odd = Some(Odd { leaf, row: row_count, text: cut(text), is_value, has_values });
                    }
                    _ => {}
                }
                *known = joined;
            }
        }
        let columns = columns(&records.names, &found, interner)?;
        let schema = interner.intern(interner.format(|| Arc::new(Csv::new(interner.options))), columns);
        let mut odd: Vec<Odd> = odd.into_iter().flatten().collect();
        odd.sort_by_key(|odd| !odd.has_values);
        odd.truncate(TOLD);
        Ok(Footer { schema, row_count, text_len: content.len(), has_attrs: false, odd })
    })
}

/// The columns of these names and fields.
fn columns(names: &[String], found: &[Fields], interner: &Interner) -> Result<Vec<FileColumn>, Reason> {
    let mut columns = Vec::with_capacity(names.len());
    for (leaf, (name, fields)) in names.iter().zip(found).enumerate() {
        let name = match (name.as_str(), leaf) {
            // So pandas writes an index.
            ("", 0) => INDEX_NAME,
            ("", _) if fields.guess == Guess::Nothing => continue,
            ("", _) => {
                let what = format!("has no name for its column {}", leaf + 1);
                let way_out = "give it one in the first line".to_owned();
                return Err(Reason::new(Kind::Other, what).or(Remedy::Do(way_out)));
            }
            (name, _) => name,
        };
        columns.push(FileColumn {
            name: name.to_owned(),
            leaf,
            raw: Ok(fields.raw(interner.options.cast(name))),
            fields: Some(*fields),
            is_instant: false,
            may_round: false,
            loss: None,
        });
    }
    Ok(columns)
}
