//! Reports as JSON, with the ways out in the words of Python.

use serde::Serialize;
use serde_json::{Value, json};
use transect::remedy::Remedy;

use super::fault::{Call, way_out};

/// Says of each input that was left out what helps, as Python has it; of those of each source, too.
fn put_into_words(report: &mut Value, call: Call) {
    let sources = report.get_mut("sources").and_then(Value::as_array_mut).into_iter().flatten();
    sources.for_each(|source| put_into_words(source, call));
    for list in ["skipped", "skipped_before"] {
        let entries = report.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for entry in entries.filter_map(Value::as_object_mut) {
            let remedies = entry.remove("remedies").unwrap_or_default();
            let remedies: Vec<Remedy> = serde_json::from_value(remedies).unwrap_or_default();
            entry.insert("way_out".to_owned(), json!(way_out(&remedies, call)));
        }
    }
}

/// `report` as JSON, in the words of Python.
pub fn told(report: impl Serialize) -> String {
    told_by(Call::Other, report)
}

/// The report of that function.
pub fn told_by(call: Call, report: impl Serialize) -> String {
    let mut report = json!(report);
    put_into_words(&mut report, call);
    report.to_string()
}
