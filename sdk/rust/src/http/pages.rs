//! Listings that come in pages.

use std::iter;

use crate::Error;

/// More pages than any account has: a vendor that never comes to an end is not followed for ever.
const MAX_PAGES: u32 = 1000;

/// The items of a listing that comes in pages, each page read when its items are wanted.
///
/// `read` gets the place of a page (its number, or a cursor), `first` to begin with, and returns the page's items with
/// the place of the next page, or without one after the last.
///
/// ```
/// use acme_manager_plugin::{Error, http};
///
/// # let api = acme_manager_plugin::testing::MockApi::new();
/// # let client = http::Client::new("https://api.example.com").unwrap();
/// # api.expect("GET", "https://api.example.com/zones?page=1").answer(200, r#"{"zones": ["a"], "pages": 2}"#);
/// # api.expect("GET", "https://api.example.com/zones?page=2").answer(200, r#"{"zones": ["b"], "pages": 2}"#);
/// // {"zones": ["a"], "pages": 2}
/// let zones = http::pages(1, |page| {
///     let answer = client.get("zones").query("page", &page.to_string()).send()?;
///     let last: u32 = answer.json_at("/pages")?;
///     Ok((answer.json_at("/zones")?, (page < last).then_some(page + 1)))
/// });
/// let zones: Result<Vec<String>, Error> = zones.collect();
/// assert_eq!(zones.unwrap(), ["a", "b"]);
/// ```
///
/// # Errors
/// The first error of `read`, and [`ErrorKind::Other`](crate::ErrorKind::Other) after a thousand pages; no items follow.
pub fn pages<T, P>(
    first: P,
    mut read: impl FnMut(P) -> Result<(Vec<T>, Option<P>), Error>,
) -> impl Iterator<Item = Result<T, Error>> {
    let mut next = Some(first);
    let mut items = Vec::new().into_iter();
    let mut count = 0;
    iter::from_fn(move || {
        loop {
            if let Some(item) = items.next() {
                return Some(Ok(item));
            }
            let place = next.take()?;
            if count == MAX_PAGES {
                return Some(Err(Error::other(format!("a listing has more than {MAX_PAGES} pages"))));
            }
            count += 1;
            match read(place) {
                Ok((page, following)) => (items, next) = (page.into_iter(), following),
                Err(error) => return Some(Err(error)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::http::Client;
    use crate::testing::MockApi;

    #[derive(serde::Deserialize)]
    struct Page {
        items: Vec<u32>,
        next: Option<String>,
    }

    fn items(client: &Client) -> impl Iterator<Item = Result<u32, Error>> {
        pages(String::new(), |cursor| {
            let page: Page = client.get("items").query("cursor", &cursor).send()?.json()?;
            Ok((page.items, page.next))
        })
    }

    fn client() -> Client {
        Client::new("https://api.example.com").unwrap()
    }

    #[test]
    fn pages_are_read_to_the_last() {
        let api = MockApi::new();
        api.expect("GET", "https://api.example.com/items?cursor=").answer(200, r#"{"items": [1, 2], "next": "b"}"#);
        api.expect("GET", "https://api.example.com/items?cursor=b").answer(200, r#"{"items": [], "next": "c"}"#);
        api.expect("GET", "https://api.example.com/items?cursor=c").answer(200, r#"{"items": [3], "next": null}"#);
        assert_eq!(items(&client()).collect::<Result<Vec<_>, _>>().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_page_whose_items_nobody_wants_is_not_read() {
        let api = MockApi::new();
        api.expect("GET", "https://api.example.com/items?cursor=").answer(200, r#"{"items": [1, 2], "next": "b"}"#);
        assert_eq!(items(&client()).next().unwrap().unwrap(), 1);
        drop(api);
    }

    #[test]
    fn an_error_is_the_last_item() {
        let api = MockApi::new();
        api.expect("GET", "https://api.example.com/items?cursor=").answer(200, r#"{"items": [1], "next": "b"}"#);
        api.expect("GET", "https://api.example.com/items?cursor=b").answer(500, "");
        let read: Vec<_> = items(&client()).map(|item| item.map_err(|error| error.kind())).collect();
        assert_eq!(read, [Ok(1), Err(ErrorKind::Unavailable)]);
    }

    #[test]
    fn a_listing_without_end_is_an_error() {
        let mut asked = 0;
        let endless = pages(1, |page| {
            asked += 1;
            Ok((vec![page], Some(1)))
        });
        let read: Vec<Result<i32, _>> = endless.collect();
        assert_eq!((asked, read.len()), (MAX_PAGES, 1001));
        assert_eq!(read.last().unwrap().as_ref().unwrap_err().kind(), ErrorKind::Other);
    }
}
