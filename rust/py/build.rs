//! Puts down the profile that the extension is built with, which a comparison with others hangs on.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // It is target/PROFILE/build/PACKAGE-HASH/out, and nothing else says which of the profiles of this project it is.
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let folder = out.ancestors().nth(3).and_then(|folder| folder.file_name());
    let profile = folder.and_then(|name| name.to_str()).unwrap_or_default();
    println!("cargo::rustc-env=BUILD_PROFILE={profile}");
}
