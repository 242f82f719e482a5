//! Shell patterns as `fnmatch(3)` without flags reads them, over bytes.
