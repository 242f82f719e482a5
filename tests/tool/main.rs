//! Tests of our tools, one file per tool or option.
