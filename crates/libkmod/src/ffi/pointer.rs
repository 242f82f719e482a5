//! The pointers that C passes and gets.
#![expect(unsafe_code, reason = "pointers of the C interface; each type states what its pointer is")]

use std::{
    ffi::{CStr, OsStr, c_char, c_void},
    marker::PhantomData,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    ptr,
    sync::Arc,
};

use crate::list::Node;

/// An object that C has a pointer to: NULL, or a pointer that this library returned and whose object is
/// still there. Nothing but a call from C makes such a value.
#[repr(transparent)]
pub(super) struct Borrowed<'a, T>(*const T, PhantomData<&'a T>);

impl<'a, T> Borrowed<'a, T> {
    /// The object.
    pub(super) fn get(&self) -> Option<&'a T> {
        // SAFETY: by the contract of the interface the pointer is NULL or its object is there for the call. Objects
        // are only ever borrowed shared: what changes in them is in cells, atomics or behind locks.
        unsafe { self.0.as_ref() }
    }

    /// The pointer, to be returned.
    pub(super) fn as_ptr(&self) -> *const T {
        self.0
    }
}

impl<T> Borrowed<'_, T> {
    /// One more reference to a counted object.
    pub(super) fn share(&self) -> Option<Arc<T>> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: only objects made by `give` are passed to functions that call this, and the caller holds a
        // reference to it: the count is one at least.
        unsafe {
            Arc::increment_strong_count(self.0);
            Some(Arc::from_raw(self.0))
        }
    }

    /// Takes one of the caller's references. The pointer again where others remain, else NULL.
    pub(super) fn release(self) -> *const T {
        if self.0.is_null() {
            return ptr::null();
        }
        // SAFETY: as in `share`; the reference that the caller held is taken from it.
        let object = unsafe { Arc::from_raw(self.0) };
        match Arc::into_inner(object) {
            Some(_) => ptr::null(),
            None => self.0,
        }
    }
}

/// Gives C a reference to a counted object.
pub(super) fn give<T>(object: Arc<T>) -> *const T {
    Arc::into_raw(object)
}

/// An object that C owns alone: NULL, or a pointer made by [`give_owned`] that was not passed here before.
#[repr(transparent)]
pub(super) struct Owned<T>(*mut T);

impl<T> Owned<T> {
    /// Drops the object.
    pub(super) fn free(self) {
        if !self.0.is_null() {
            // SAFETY: by the contract it is a pointer made by `give_owned`, and C has no use for it any more.
            drop(unsafe { Box::from_raw(self.0) });
        }
    }
}

/// Gives C an object for itself.
pub(super) fn give_owned<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// The nodes of a list, or NULL for none: the pointer is that of the first.
pub(super) fn give_list(nodes: Box<[Node]>) -> *const Node {
    if nodes.is_empty() { ptr::null() } else { Box::into_raw(nodes).cast_const().cast() }
}

impl<'a> Borrowed<'a, Node> {
    /// The node at a place of the same list.
    pub(super) fn at(&self, place: usize) -> Option<&'a Node> {
        // SAFETY: a pointer to a node of the list, as `neighbour` returns it, or NULL.
        unsafe { self.neighbour(place).as_ref() }
    }

    /// A pointer to that node.
    pub(super) fn neighbour(&self, place: usize) -> *const Node {
        match self.get() {
            Some(node) if place < node.len() => {
                // SAFETY: all nodes of a list are one slice, made by `give_list`. This one is at its place of it, and
                // the other place is within it.
                unsafe { self.0.sub(node.place()).add(place) }
            }
            _ => ptr::null(),
        }
    }
}

/// A list that C owns: NULL, or any of its nodes.
#[repr(transparent)]
pub(super) struct OwnedList(*mut Node);

impl OwnedList {
    /// Drops the list with all that its nodes hold.
    pub(super) fn free(self) {
        // SAFETY: by the contract the pointer is NULL or a node of a list that was not freed.
        let Some(node) = (unsafe { self.0.as_ref() }) else { return };
        let (place, len) = (node.place(), node.len());
        // SAFETY: as in `neighbour`, this is where the slice begins that `give_list` made of a box, and C has no
        // use for it any more.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(self.0.sub(place), len)) });
    }
}

/// A string of the caller: NULL, or bytes with a NUL after them.
#[repr(transparent)]
pub(super) struct Text<'a>(*const c_char, PhantomData<&'a CStr>);

impl<'a> Text<'a> {
    /// Its bytes.
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: by the contract a string that is not NULL ends in a NUL, and nobody changes it during the call.
        Some(unsafe { CStr::from_ptr(self.0) }.to_bytes())
    }
}

/// An array of strings of the caller: NULL, or pointers with NULL after them.
#[repr(transparent)]
pub(super) struct Texts<'a>(*const Text<'a>);

impl Texts<'_> {
    /// The strings as paths.
    pub(super) fn paths(&self) -> Option<Vec<PathBuf>> {
        if self.0.is_null() {
            return None;
        }
        let mut paths = Vec::new();
        // SAFETY: by the contract NULL ends the array, and no element behind it is read.
        while let Some(path) = unsafe { &*self.0.add(paths.len()) }.bytes() {
            paths.push(OsStr::from_bytes(path).into());
        }
        Some(paths)
    }
}

/// Where the caller wants a result: NULL, or a place that can be read and written.
#[repr(transparent)]
pub(super) struct Place<T>(*mut *const T);

impl<T> Place<T> {
    /// Whether there is none.
    pub(super) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// Whether something is there already.
    pub(super) fn is_occupied(&self) -> bool {
        // SAFETY: by the contract the place can be read where it is not NULL.
        unsafe { self.0.as_ref() }.is_some_and(|there| !there.is_null())
    }

    /// Writes the result.
    pub(super) fn put(&self, result: *const T) {
        if !self.0.is_null() {
            // SAFETY: by the contract the place can be written.
            unsafe { self.0.write(result) };
        }
    }
}

/// A pointer of the host that is kept or passed on and never followed.
pub(super) type Data = *mut c_void;
