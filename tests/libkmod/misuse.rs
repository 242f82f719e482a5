//! NULL for any object, and other misuse.

use crate::world::script;

#[test]
fn every_function_takes_null() {
    let observed = script("new 0 -\nnull\n").compare();
    assert!(observed.output.lines().count() > 80, "{}", observed.output);
}
