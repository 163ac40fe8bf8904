//! What a store says, to be compared with what it says once its bytes are damaged.

use arrow_array::types::Int64Type;
use transect::progress::Silent;
use transect::store::Fill;
use transect::{Date, Error, Request, Store};

use super::super::panels::{Contents, contents, sections, workers};

/// All that a reader can learn from a whole store.
pub(super) struct Answers {
    pub(super) dates: Vec<Date>,
    pub(super) stocks: Vec<String>,
    schema: String,
    info: serde_json::Value,
    files: String,
    history: String,
    changes: Vec<String>,
    pub(super) sections: Vec<(Date, Contents)>,
    pub(super) series: Vec<Contents>,
    /// Nothing where a stock may have several rows on a date.
    matrix: Option<Vec<Option<i64>>>,
}

/// A column as a matrix; its values and nulls are compared with checksums, and so are the rows' codes.
pub(super) fn matrix(store: &Store) -> Result<Vec<Option<i64>>, Error> {
    let matrix = store.answer(&Request::of(["volume"]))?.matrix(&Fill::of::<Int64Type>(0), &workers(1), &Silent)?;
    let values = matrix.values::<Int64Type>().unwrap().iter().enumerate();
    Ok(values.map(|(cell, &value)| matrix.cells().valid().value(cell).then_some(value)).collect())
}

impl Answers {
    pub(super) fn of(store: &Store) -> Answers {
        let stocks: Vec<String> = store.stocks().unwrap().into_iter().map(str::to_owned).collect();
        Answers {
            dates: store.dates().unwrap().to_vec(),
            schema: format!("{:?}", store.schema().unwrap()),
            info: serde_json::to_value(store.info().unwrap()).unwrap(),
            files: format!("{:?}", store.files().unwrap()),
            history: format!("{:?}", store.history().unwrap()),
            changes: (1..=store.version()).map(|version| format!("{:?}", store.changes_of(version).unwrap())).collect(),
            sections: sections(store),
            series: stocks.iter().map(|code| contents(&store.series(code).unwrap())).collect(),
            matrix: (store.schema().unwrap().key.is_empty()).then(|| matrix(store).unwrap()),
            stocks,
        }
    }

    /// Asks everything of a damaged `store`: what it answers must be right; an error is an answer.
    pub(super) fn compare(&self, store: &Store, context: &str) {
        let check =
            |what: &str, right: Result<bool, Error>| assert!(right.unwrap_or(true), "{context}: {what} is wrong");
        check("dates", store.dates().map(|dates| dates == self.dates));
        check("stocks", store.stocks().map(|stocks| stocks == self.stocks));
        check("schema", store.schema().map(|schema| format!("{schema:?}") == self.schema));
        check("info", store.info().map(|info| serde_json::to_value(info).unwrap() == self.info));
        check("files", store.files().map(|files| format!("{files:?}") == self.files));
        check("history", store.history().map(|history| format!("{history:?}") == self.history));
        for (version, expected) in (1..).zip(&self.changes) {
            check("changes", store.changes_of(version).map(|changes| format!("{changes:?}") == *expected));
        }
        for (date, expected) in &self.sections {
            let batch = store.section(*date).and_then(|section| section.batch());
            check("section", batch.map(|batch| contents(&batch) == *expected));
            let codes = store.section(*date).and_then(|section| Ok(section.codes()?.len()));
            check("codes", codes.map(|codes| codes == expected.1.len()));
        }
        if let Some(expected) = &self.matrix {
            check("matrix", matrix(store).map(|matrix| matrix == *expected));
        }
        for (code, expected) in self.stocks.iter().zip(&self.series) {
            check("series", store.series(code).map(|series| contents(&series) == *expected));
        }
    }
}
