//! The behaviour tests live in `tool/` and `compliance/`.
