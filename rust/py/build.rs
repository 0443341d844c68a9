//! Puts down the profile that the extension is built with, and whether the compiler was trained, which a comparison with
//! others hangs on.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // It is target/PROFILE/build/PACKAGE-HASH/out, and nothing else says which of the profiles of this project it is.
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let folder = out.ancestors().nth(3).and_then(|folder| folder.file_name());
    let profile = folder.and_then(|name| name.to_str()).unwrap_or_default();
    println!("cargo::rustc-env=BUILD_PROFILE={profile}");
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        println!("cargo::rerun-if-env-changed={name}"); // cargo looks at its own, and gives the second to this program
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if flags.contains("profile-use=") {
        println!("cargo::rustc-cfg=trained");
    }
    println!("cargo::rustc-check-cfg=cfg(trained)");
}
