//! Names of a store's files.

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

/// File name of the catalog of `version`.
pub fn catalog_name(version: u64) -> String {
    format!("{version:010}")
}

/// The version that a catalog's file name carries.
pub fn parse_catalog_name(name: &str) -> Option<u64> {
    let version = name.parse().ok()?;
    (catalog_name(version) == name).then_some(version)
}

/// File name of the tables of a source, the `ordinal`-th that `version` wrote.
pub fn tables_name(version: u64, ordinal: u32) -> String {
    format!("{version:010}-{ordinal:04}")
}

/// Version and ordinal that the name of a source's tables carries.
pub fn parse_tables_name(name: &str) -> Option<(u64, u32)> {
    let (version, ordinal) = name.split_once('-')?;
    let parsed = (version.parse().ok()?, ordinal.parse().ok()?);
    (tables_name(parsed.0, parsed.1) == name).then_some(parsed)
}

/// File name of segment `ordinal` of `version`.
pub fn segment_name(version: u64, ordinal: u32) -> String {
    format!("{version:08}-{ordinal:04}.arrow")
}

/// Version and ordinal that a segment's file name carries.
pub fn parse_segment_name(name: &str) -> Option<(u64, u32)> {
    let (version, ordinal) = name.strip_suffix(".arrow")?.split_once('-')?;
    let parsed = (version.parse().ok()?, ordinal.parse().ok()?);
    (segment_name(parsed.0, parsed.1) == name).then_some(parsed)
}

/// File name of the chunk records of all segments that `version` wrote.
pub fn chunks_name(version: u64) -> String {
    format!("{version:08}.chunks")
}

/// The version that a chunk file's name carries.
pub fn parse_chunks_name(name: &str) -> Option<u64> {
    let version = name.strip_suffix(".chunks")?.parse().ok()?;
    (chunks_name(version) == name).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_spelling_of_a_name_is_ours() {
        assert_eq!(parse_catalog_name("0000000012"), Some(12));
        assert_eq!(parse_tables_name("0000000012-0003"), Some((12, 3)));
        assert_eq!(parse_segment_name("00000001-0000.arrow"), Some((1, 0)));
        assert_eq!(parse_chunks_name("00000001.chunks"), Some(1));
        for name in ["1.chunks", "00000001.chunks.tmp", "00000001", ".chunks"] {
            assert_eq!(parse_chunks_name(name), None, "{name}");
        }
        for name in ["12", "+000000012", "0000000012.bak", "0000000012-0003", ""] {
            assert_eq!(parse_catalog_name(name), None, "{name}");
        }
        for name in ["0000000012", "12-3", "0000000012-+003", "0000000012-0003.bak", "-"] {
            assert_eq!(parse_tables_name(name), None, "{name}");
        }
        for name in ["1-0.arrow", "00000001-0000.arrow.tmp", "00000001-+000.arrow", ".arrow"] {
            assert_eq!(parse_segment_name(name), None, "{name}");
        }
    }
}
