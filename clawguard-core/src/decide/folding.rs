//! Where names are the same in any case: vfat, exfat, ntfs, cifs, and directories with the casefold flag.

#![forbid(unsafe_code)]

use crate::path::AbsPath;
use crate::policy::Case;

/// Directories beneath which names fold, and mounts within them where they do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folding {
    /// Sorted by path, so that the last entry that a path begins with is the nearest.
    places: Vec<(AbsPath, bool)>,
}

impl Folding {
    /// From directories and whether names fold beneath each, up to the next directory in the list.
    #[must_use]
    pub fn new(mut places: Vec<(AbsPath, bool)>) -> Folding {
        if !places.iter().any(|(_, folds)| *folds) {
            places.clear();
        }
        places.sort();
        Folding { places }
    }

    /// The same, with more directories that fold.
    #[must_use]
    pub fn with(self, more: impl IntoIterator<Item = AbsPath>) -> Folding {
        let mut places = self.places;
        places.extend(more.into_iter().map(|place| (place, true)));
        Folding::new(places)
    }

    /// The directories beneath which names fold.
    pub fn folded(&self) -> impl Iterator<Item = &AbsPath> {
        self.places.iter().filter(|(_, folds)| *folds).map(|(place, _)| place)
    }

    /// Does any name on this path stand in a directory that folds?
    pub(crate) fn is_some_and_beneath(&self, path: &AbsPath) -> bool {
        self.folded().any(|place| path.starts_with(place))
    }

    /// How the directory made of the first `depth` components of `path` compares names.
    pub(crate) fn case(&self, path: &AbsPath, depth: usize) -> Case {
        let nearest = self
            .places
            .iter()
            .filter(|(place, _)| place.depth() <= depth && path.starts_with(place))
            .max_by_key(|(place, _)| place.depth());
        match nearest {
            Some((_, true)) => Case::Folded,
            Some((_, false)) | None => Case::Sensitive,
        }
    }
}
