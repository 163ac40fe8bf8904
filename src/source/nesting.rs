//! Refuses schemas that nest too deep to be handed to the Parquet decoder.
//!
//! The decoder builds the tree of types by recursion, and so does all that walks it. A footer of some kilobytes can
//! nest so deep that the stack overflows, which ends the process and which nothing catches.

use super::pages::Thrift;

/// Levels of a schema, at most. A list takes three of them, and no panel holds any.
const DEEPEST: usize = 64;

/// Checks the schema in the bytes of a FileMetaData.
///
/// # Errors
/// The reason to skip the file.
pub(super) fn check_nesting(footer: &[u8]) -> Result<(), String> {
    match depth(footer) {
        None => Err("is damaged: its schema cannot be read".to_owned()),
        Some(depth) if depth > DEEPEST => {
            Err(format!("has columns within columns more than {DEEPEST} levels deep, which cannot be read"))
        }
        Some(_) => Ok(()),
    }
}

/// The number of levels, counted no further than one too many. `None` where the schema is no tree.
fn depth(footer: &[u8]) -> Option<usize> {
    let mut thrift = Thrift { bytes: footer };
    let mut last = 0;
    // The decoder takes the first schema and passes others by.
    let count = loop {
        match thrift.field(&mut last)?? {
            (2, 9) => match thrift.list()? {
                (count, 12) => break count,
                _ => return None,
            },
            (2, _) => return None,
            (_, kind) => thrift.skip(kind, 0)?,
        }
    };
    // The elements come parents first. For each group that is open, how many of its children are still to come.
    let mut open: Vec<u64> = Vec::new();
    let mut deepest = 0;
    for n in 0..count {
        let children = child_count(&mut thrift)?;
        // The decoder reserves room for as many children as a group claims.
        if children > count - n - 1 {
            return None;
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        open.push(children);
        deepest = deepest.max(open.len());
        if deepest > DEEPEST {
            break;
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    Some(deepest)
}

/// Reads a SchemaElement for its number of children.
fn child_count(thrift: &mut Thrift) -> Option<u64> {
    let (mut children, mut last) = (0, 0);
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match (id, kind) {
            (5, 5) => children = u64::try_from(thrift.integer()?).ok()?,
            (5, _) => return None,
            (_, kind) => thrift.skip(kind, 0)?,
        }
    }
    Some(children)
}
