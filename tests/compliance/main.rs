//! The same test on ours and on the packaged kmod, compared.
