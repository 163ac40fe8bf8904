//! Small inputs that went wrong once, and their siblings: `tests/cases/NAME.trycmd` has the commands and their answers,
//! `NAME.in/` the files that they run on, and `NAME.out/` files that they must leave (at least `.keep`, which makes
//! each case run on a copy). To add a case is to add those. `TRYCMD=overwrite` writes the answers as they are now;
//! read them before you believe them.

use std::path::Path;

#[test]
fn cases_get_the_right_answers() {
    let cases = trycmd::TestCases::new();
    cases.register_bin("transect", Path::new(env!("CARGO_BIN_EXE_transect")));
    for tool in ["cat", "chmod", "cp", "find", "ln", "ls", "mkdir", "mv", "rm", "touch"] {
        let directories = ["/bin", "/usr/bin"].map(|directory| Path::new(directory).join(tool));
        if let Some(path) = directories.into_iter().find(|path| path.exists()) {
            cases.register_bin(tool, path);
        }
    }
    cases.case("tests/cases/*.trycmd");
}
