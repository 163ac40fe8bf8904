//! Texts that a user or a file gives: each is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use transect::format::{parse_catalog_name, parse_chunks_name, parse_segment_name};
use transect::sink::{Compression, Format, NamePattern};
use transect::source::{Cast, Pattern, parse_type};
use transect::{Date, Guard, Limit};

fuzz_target!(|text: &str| {
    let _ = (text.parse::<Date>().is_ok(), text.parse::<Limit>().is_ok(), text.parse::<Guard>().is_ok());
    let _ = (text.parse::<Pattern>().is_ok(), text.parse::<Cast>().is_ok(), parse_type(text).is_ok());
    let _ = (text.parse::<NamePattern>().is_ok(), text.parse::<Format>().is_ok(), text.parse::<Compression>().is_ok());
    let _ = (parse_catalog_name(text), parse_segment_name(text), parse_chunks_name(text));
});
