//! SVM.
