//! SQLCipher.
