//! Text and bytes of a value: borrowed from claims and literals, or built by the expression and shared.

use std::ops::Deref;
use std::sync::Arc;

/// Text that is cheap to clone, wherever it lives: an element that is read a thousand times is not copied a thousand times.
pub(crate) type Text<'a> = Shared<'a, str>;

/// What [`Text`] is for strings.
#[derive(Debug)]
pub(crate) enum Shared<'a, T: ?Sized> {
    Borrowed(&'a T),
    Built(Arc<T>),
}

impl<T: ?Sized> Shared<'_, T> {
    /// The same contents borrowing from this value.
    pub(crate) fn borrowed(&self) -> Shared<'_, T> {
        Shared::Borrowed(self)
    }
}

impl<T: ?Sized> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        match self {
            Shared::Borrowed(contents) => Shared::Borrowed(contents),
            Shared::Built(contents) => Shared::Built(Arc::clone(contents)),
        }
    }
}

impl<T: ?Sized> Deref for Shared<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Shared::Borrowed(contents) => contents,
            Shared::Built(contents) => contents,
        }
    }
}

impl<'a, T: ?Sized> From<&'a T> for Shared<'a, T> {
    fn from(contents: &'a T) -> Self {
        Shared::Borrowed(contents)
    }
}

impl From<Vec<u8>> for Shared<'_, [u8]> {
    fn from(bytes: Vec<u8>) -> Self {
        Shared::Built(bytes.into())
    }
}

impl From<String> for Shared<'_, str> {
    fn from(text: String) -> Self {
        Shared::Built(text.into())
    }
}
