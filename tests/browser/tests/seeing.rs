//! Seeing: contrast in both schemes, focus by keyboard, and no line wider than its window.

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::page::Page;

/// Every text whose contrast with what lies behind it is below 4.5 (WCAG 2.2, 1.4.3). Colours
/// are painted one over the other, for many are partly transparent.
const FAINT: &str = r"
const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const over = (colours) => {
  for (const it of colours) { paint.fillStyle = it; paint.fillRect(0, 0, 1, 1); }
  return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((it) => it / 255).map((it) => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const faint = [];
for (const it of document.querySelectorAll('body *')) {
  const text = [...it.childNodes].filter((one) => one.nodeType === 3).map((one) => one.data.trim()).join('');
  if (!text || !it.checkVisibility({ visibilityProperty: true })) continue;
  const layers = [];
  for (let one = it; one; one = one.parentElement) layers.unshift(getComputedStyle(one).backgroundColor);
  const [behind, front] = [over(layers), over([...layers, getComputedStyle(it).color])].map(luminance);
  const contrast = (Math.max(behind, front) + 0.05) / (Math.min(behind, front) + 0.05);
  if (contrast < 4.5) faint.push(`${it.tagName}.${it.className} ${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
}
return faint;
";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_text_can_be_read_in_both_schemes_and_fits_its_window() {
    let Some(page) = Page::new().await else { return };
    for (width, height) in [(1280, 800), (390, 844)] {
        for scheme in ["light", "dark"] {
            page.look(width, height, scheme).await;
            for operation in ["", "ClinicalService_ParseBiomarkers"] {
                page.open(operation).await;
                if !operation.is_empty() {
                    page.click(".send").await;
                    page.says(".answer", "401").await;
                }
                let faint = page.run(FAINT, vec![]).await;
                assert_eq!(faint, json!([]), "{scheme}, {width} wide, {operation:?}");
                let wide = "return document.documentElement.scrollWidth - innerWidth";
                let wide = page.run(wide, vec![]).await;
                assert!(wide.as_i64().unwrap() <= 0, "{wide} too wide: {width}, {operation:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_chosen_scheme_wins_over_the_systems() {
    let Some(page) = Page::new().await else { return };
    page.look(1280, 800, "light").await;
    page.open("").await;
    let ground = "return getComputedStyle(document.body).backgroundColor";
    let light = page.run(ground, vec![]).await;
    page.click("#theme").await;
    page.click("#theme").await;
    page.says("#theme", "dark").await;
    assert_ne!(page.run(ground, vec![]).await, light);
    page.open("").await;
    assert_ne!(page.run(ground, vec![]).await, light, "the choice is forgotten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_keyboard_reaches_everything_and_its_focus_is_seen() {
    let Some(page) = Page::new().await else { return };
    page.open("ClinicalService_ListBiomarkers").await;
    let focus = r"
        const it = document.activeElement, style = getComputedStyle(it);
        return { name: it.id || it.className || it.tagName, outline: style.outlineStyle, width: parseFloat(style.outlineWidth) };";
    let mut reached = Vec::new();
    for _ in 0..60 {
        page.press(Key::Tab).await;
        let found = page.run(focus, vec![]).await;
        let name = found["name"].as_str().unwrap().to_owned();
        if name == "BODY" {
            break;
        }
        let is_seen = found["outline"] != "none" && found["width"].as_f64() >= Some(2.0);
        assert!(is_seen, "the focus of {name} is not seen: {found}");
        reached.push(name);
    }
    assert_eq!(reached.first().map(String::as_str), Some("skip"));
    for name in ["theme", "search", "primary send"] {
        assert!(reached.iter().any(|it| it == name), "{name} is not among {reached:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_skip_link_leads_past_the_list_and_keeps_the_address() {
    let Some(page) = Page::new().await else { return };
    page.open("ClinicalService_ListBiomarkers").await;
    page.press(Key::Tab).await;
    page.press(Key::Enter).await;
    let focused: Value = page.run("return document.activeElement.id", vec![]).await;
    assert_eq!(focused, "main");
    assert!(page.address().await.ends_with("#ClinicalService_ListBiomarkers"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_small_window_has_a_menu() {
    let Some(page) = Page::new().await else { return };
    page.look(390, 844, "light").await;
    page.open("").await;
    page.click("#menu").await;
    page.click("nav a[href='#IdentityService_GetMe']").await;
    page.says("main h1", "Returns the caller's own account").await;
    let hidden = "return !document.getElementById('navigation').checkVisibility()";
    assert_eq!(page.run(hidden, vec![]).await, true);
    page.click(".jump").await;
    page.find(".send").await;
}
