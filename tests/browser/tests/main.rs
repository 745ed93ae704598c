//! People's pages, in a real browser.
