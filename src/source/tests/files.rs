//! Which files are found, and what is said of the others.

use super::*;

#[test]
fn smoke() {
    let source = Source::new();
    source
        .add("b", &[("trade_date", texts(&["20240103", "20240102"])), ("x", ints(&[1, 2]))])
        .add("a", &[("trade_date", texts(&["20240102", "20240103"])), ("x", floats(&[1.5, 2.5]))]);
    let survey = source.survey();
    assert_eq!(survey.inputs.iter().map(|input| input.code.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(survey.skipped.is_empty(), "{:?}", survey.skipped);
    assert_eq!(&column(&survey, 1, "x"), &floats(&[2.0, 1.0]));
}
