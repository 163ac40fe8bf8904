//! Names of a store's files. Each commit draws a random id, which names all files that it writes.

/// Names the live catalog.
pub const CURRENT_NAME: &str = "CURRENT";
/// Locked by the one writer, never removed.
pub const LOCK_NAME: &str = "LOCK";
/// Holds the catalogs.
pub const CATALOG_DIR: &str = "catalog";
/// Holds the segments.
pub const SEGMENT_DIR: &str = "segment";
/// A file being written starts with this until it gets its final name by a rename.
pub const TEMP_PREFIX: &str = ".transect-tmp-";
/// A build's intermediate file starts with this.
pub const SPILL_PREFIX: &str = ".transect-spill-";

/// File name of the catalog that `commit` wrote.
pub fn catalog_name(commit: u64) -> String {
    format!("{commit:016x}")
}

/// The commit that a catalog's file name carries.
pub fn parse_catalog_name(name: &str) -> Option<u64> {
    let commit = u64::from_str_radix(name, 16).ok()?;
    (catalog_name(commit) == name).then_some(commit)
}

/// File name of the tables of a source, the `ordinal`-th that `commit` wrote.
pub fn tables_name(commit: u64, ordinal: u32) -> String {
    format!("{commit:016x}-{ordinal:04}")
}

/// Commit and ordinal that the name of a source's tables carries.
pub fn parse_tables_name(name: &str) -> Option<(u64, u32)> {
    let (commit, ordinal) = name.split_once('-')?;
    let parsed = (u64::from_str_radix(commit, 16).ok()?, ordinal.parse().ok()?);
    (tables_name(parsed.0, parsed.1) == name).then_some(parsed)
}

/// File name of what the version that `commit` made changed.
pub fn changes_name(commit: u64) -> String {
    format!("{commit:016x}.changes")
}

/// The commit that a change file's name carries.
pub fn parse_changes_name(name: &str) -> Option<u64> {
    let commit = u64::from_str_radix(name.strip_suffix(".changes")?, 16).ok()?;
    (changes_name(commit) == name).then_some(commit)
}

/// File name of segment `ordinal` of those that `commit` wrote.
pub fn segment_name(commit: u64, ordinal: u32) -> String {
    format!("{commit:016x}-{ordinal:04}.arrow")
}

/// Commit and ordinal that a segment's file name carries.
pub fn parse_segment_name(name: &str) -> Option<(u64, u32)> {
    let (commit, ordinal) = name.strip_suffix(".arrow")?.split_once('-')?;
    let parsed = (u64::from_str_radix(commit, 16).ok()?, ordinal.parse().ok()?);
    (segment_name(parsed.0, parsed.1) == name).then_some(parsed)
}

/// File name of the chunk records of all segments that `commit` wrote.
pub fn chunks_name(commit: u64) -> String {
    format!("{commit:016x}.chunks")
}

/// The commit that a chunk file's name carries.
pub fn parse_chunks_name(name: &str) -> Option<u64> {
    let commit = u64::from_str_radix(name.strip_suffix(".chunks")?, 16).ok()?;
    (chunks_name(commit) == name).then_some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_spelling_of_a_name_is_ours() {
        assert_eq!(parse_catalog_name("00000000000000ab"), Some(0xab));
        assert_eq!(parse_tables_name("00000000000000ab-0003"), Some((0xab, 3)));
        assert_eq!(parse_segment_name("ffffffffffffffff-0000.arrow"), Some((u64::MAX, 0)));
        assert_eq!(parse_chunks_name("0000000000000001.chunks"), Some(1));
        assert_eq!(parse_changes_name("00000000000000ab.changes"), Some(0xab));
        for name in ["ab.changes", "00000000000000AB.changes", "00000000000000ab.changes.bak", "00000000000000ab"] {
            assert_eq!(parse_changes_name(name), None, "{name}");
        }
        for name in ["1.chunks", "0000000000000001.chunks.tmp", "0000000000000001", ".chunks"] {
            assert_eq!(parse_chunks_name(name), None, "{name}");
        }
        for name in ["ab", "+0000000000000ab", "00000000000000AB", "00000000000000ab.bak", "00000000000000ab-0003", ""]
        {
            assert_eq!(parse_catalog_name(name), None, "{name}");
        }
        for name in ["00000000000000ab", "ab-3", "00000000000000ab-+003", "00000000000000ab-0003.bak", "-"] {
            assert_eq!(parse_tables_name(name), None, "{name}");
        }
        for name in ["1-0.arrow", "0000000000000001-0000.arrow.tmp", "0000000000000001-+000.arrow", ".arrow"] {
            assert_eq!(parse_segment_name(name), None, "{name}");
        }
    }
}
