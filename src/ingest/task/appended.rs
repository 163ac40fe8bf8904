//! Per-date files that tasks append: what a part has of them, and what all parts have.

use super::gather::{place_part, spill_of};
use super::part::{Part, PartSection, receipt_of};
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::ingest::gather::codes::AllCodes;
use crate::ingest::gather::intake::{Gathered, Read};
use crate::ingest::gather::sections::{FilesRead, GivenFiles, Section};
use crate::ingest::gather::stages::Stages;
use crate::ingest::gather::texts::Texts;
use crate::key::Date;
use crate::shuffle::SpillMap;
use crate::source::{BadFile, FileOutcome};
use crate::staging::Attempt;

/// Gathers the files of part `part`, and puts it in place; their rows.
///
/// # Errors
/// As [`GivenFiles::gather`].
pub(super) fn gather(
    plan: &Plan,
    part: usize,
    (given, stages): (&GivenFiles, &Stages),
    attempt: &Attempt,
) -> Result<u64> {
    let spill = spill_of(attempt, plan, part)?;
    let (found, codes) = given.gather(plan.part(part), stages, &spill)?;
    let (bands, kept) = spill.finish()?;
    let mut gathered = Gathered { codes: codes.into_all(), ..Gathered::default() };
    let (mut bad, mut sections) = (Vec::new(), Vec::new());
    for (input, found) in found.into_iter().enumerate() {
        match found {
            Ok(Section { blocks, codes, losses, .. }) => {
                let rows = blocks.iter().map(|block| block.inputs.byte_len / 4).sum();
                let file = FileOutcome { rows, ..FileOutcome::default() };
                gathered.read.push(Read { input, rows, files: vec![file] });
                gathered.blocks.extend(blocks);
                sections.push(PartSection { codes, losses });
            }
            Err(reason) => bad.push((input, BadFile { file: 0, reason })),
        }
    }
    let rows = gathered.read.iter().map(|read| read.rows).sum();
    let columns = &given.panel.columns;
    let receipt = receipt_of(plan, part, columns, (gathered, bad, sections), (&bands, &kept, &[]))?;
    place_part(attempt, part, &receipt, &bands)?;
    Ok(rows)
}

/// Refuses texts of all parts that are too many together.
///
/// # Errors
/// Where they are, or the store is damaged.
pub(super) fn check_texts(parts: &[Part], given: &GivenFiles, memory: u64) -> Result<()> {
    let texts = Texts::new(&given.panel.columns, memory, None).beside(Some(given.before))?;
    parts.iter().flat_map(Part::groups).for_each(|blocks| texts.count(blocks));
    texts.check()
}

/// What all parts have of so many files; `codes` are those of all rows.
///
/// # Errors
/// When a part has other rows of a file than those of one date.
pub(super) fn files_read(parts: Vec<Part>, (codes, spill): (AllCodes, SpillMap), count: usize) -> Result<FilesRead> {
    let wrong = || Error::refused("a receipt has rows of several dates of one file", "gather all parts again");
    let mut sections: Vec<(usize, std::result::Result<Section, _>)> = Vec::with_capacity(count);
    for part in parts {
        let dates: Vec<Option<Date>> = part.days().map(|(days, _)| Date::from_days(one(days)?)).collect();
        let found = part.read.into_iter().zip(part.blocks).zip(part.sections.into_iter().zip(dates));
        for ((read, block), (PartSection { codes, losses }, date)) in found {
            let section = Section { date: date.ok_or_else(wrong)?, blocks: vec![block], codes, losses };
            sections.push((read.input, Ok(section)));
        }
        sections.extend(part.bad.into_iter().map(|(input, bad)| (input, Err(bad.reason))));
    }
    sections.sort_by_key(|(input, _)| *input);
    let sections = sections.into_iter().map(|(_, section)| section).collect();
    Ok(FilesRead { sections, codes, spill, notes: Vec::new() })
}

fn one(days: &[i32]) -> Option<i32> {
    match days {
        [day] => Some(*day),
        _ => None,
    }
}
