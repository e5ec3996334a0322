"""The chat page in a real browser, with a real bot of discord.py on the other side."""

import asyncio
import contextlib
import itertools
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest
import pytest_asyncio
import yarl
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from playground import page as chat
from playground import places
from playground.server import Playground
from tests.playground.page_bot import Counterpart

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SAMPLES = chat.STATIC / "samples"

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: the page was not tested"),
]


@pytest.fixture(scope="module")
def patch() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=40_000)  # a busy machine is no fault of the page
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(patch: pytest.MonkeyPatch) -> AsyncIterator[Playground]:
    async with Playground() as place:
        place.journal.unanswered_expected = True  # a command and a button here are silent on purpose
        patch.setattr(discord.http.Route, "BASE", place.api)
        patch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(place.gateway))
        patch.setattr(discord.Asset, "BASE", place.cdn)
        yield place


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bot(place: Playground) -> AsyncIterator[Counterpart]:
    bot = Counterpart()
    task = asyncio.create_task(bot.start(place.token), name="the page's counterpart")
    await place.ready()
    await place.until(lambda: len(place.world.commands) >= 9)
    await bot.wait_until_ready()
    yield bot
    await bot.close()
    await task


class Reader:
    """One open page, in a channel of its own; its errors fail the test."""

    def __init__(self, page: Page, place: Playground, channel: int) -> None:
        self.page, self.place, self.channel = page, place, channel
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda line: self.errors.append(line.text) if line.type in ("error", "warning") else None,
        )

    async def open(self, person: str = "Ada") -> "Reader":
        user = self.place.user(person)
        await self.page.goto(f"{self.place.url}/#person={user.id}&channel={self.channel}")
        await expect(self.page.locator("body")).to_have_attribute("data-state", "ready")
        await expect(self.page.locator("#text")).to_be_focused()
        return self

    @property
    def messages(self) -> Locator:
        return self.page.locator(".messages > [data-message-id]")

    async def type(self, text: str, *keys: str) -> None:
        await self.page.keyboard.type(text)
        for key in keys:
            await self.page.keyboard.press(key)

    def option(self, name: str) -> Locator:
        return self.page.locator(f'[data-option="{name}"]')


@pytest_asyncio.fixture(loop_scope="module")
async def reader(browser: Browser, place: Playground, bot: Counterpart) -> AsyncIterator[Reader]:
    bot.heard.clear()
    channel = await place.do(places.add_channel, place.guild, f"room-{next(NUMBERS)}")
    context = await browser.new_context(viewport={"width": 1100, "height": 760})
    context.set_default_timeout(40_000)
    reader = Reader(await context.new_page(), place, channel.id)
    yield await reader.open()
    await context.close()
    assert reader.errors == []


NUMBERS = itertools.count(1)


async def heard(bot: Counterpart, what: str) -> Any:
    """The first thing of this kind that the bot hears."""
    async with asyncio.timeout(40):
        while True:
            for each in bot.heard:
                if each[0] == what:
                    return each
            await bot.news.wait()
            bot.news.clear()


async def plays(video: Locator) -> None:
    """The clip is decoded and its time goes on."""
    await expect(video).to_have_js_property("videoWidth", 160)
    began = await video.evaluate("async each => { await each.play(); return each.currentTime }")
    await video.page.wait_for_function(
        "([each, began]) => each.currentTime > began + 0.2", arg=[await video.element_handle(), began]
    )


async def test_a_newcomer_clicks_an_example_and_sees_a_clip_play(reader: Reader, bot: Counterpart) -> None:
    await expect(reader.page.get_by_role("heading", name="Make your first clip")).to_be_visible()
    await expect(reader.page.locator(".example b")).to_have_text(["/animate", "/img2vid", "/interp"])
    await reader.page.locator('[data-example="img2vid"]').click()
    await expect(reader.option("image").locator("b")).to_have_text("boat.jpg")
    await reader.page.keyboard.press("Enter")
    _, name, data, _ = await heard(bot, "img2vid")
    assert (name, data) == ("boat.jpg", (SAMPLES / "boat.jpg").read_bytes())
    video = reader.messages.locator("video")
    await expect(video).to_have_count(1)
    await expect(video).to_have_js_property("paused", False)
    await plays(video)
    for trait in ("loop", "muted", "controls", "playsInline"):
        await expect(video).to_have_js_property(trait, True)
    await expect(video).to_have_attribute("preload", "metadata")
    await expect(reader.page.locator(".welcome")).to_be_hidden()
    await expect(reader.messages.locator(".mention", has_text="@Ada")).to_be_visible()


async def test_commands_are_hinted_filtered_and_completed_by_keys(reader: Reader, bot: Counterpart) -> None:
    await reader.type("/")
    hints = reader.page.get_by_role("listbox", name="Commands").get_by_role("option")
    await expect(hints.first).to_contain_text("/animate")
    assert await hints.count() == 8
    await reader.type("i", "ArrowDown")
    await expect(hints.and_(reader.page.locator('[aria-selected="true"]'))).to_contain_text("/interp")
    await reader.page.keyboard.press("ArrowUp")
    await reader.page.keyboard.press("Tab")
    await expect(reader.page.locator('[data-command="img2vid"]')).to_be_visible()
    await reader.page.keyboard.press("Escape")
    await reader.type("/privacy e", "Enter")
    await expect(reader.page.locator('[data-command="privacy export"]')).to_be_visible()
    await reader.page.keyboard.press("Enter")
    await expect(reader.messages).to_contain_text("Here it is.")


@pytest.mark.parametrize("pasted", [False, True])
async def test_a_whole_line_is_understood_typed_or_pasted(
    reader: Reader, bot: Counterpart, pasted: bool
) -> None:
    line = "/animate prompt: a red star: far away seed: 7"
    await (reader.page.keyboard.insert_text if pasted else reader.type)(line)
    await reader.page.keyboard.press("Enter")
    assert await heard(bot, "animate") == ("animate", "a red star: far away", 7, None, None, False)
    await expect(reader.messages.locator(".used")).to_contain_text("Ada used /animate")


async def test_options_are_judged_before_anything_is_sent(reader: Reader, bot: Counterpart) -> None:
    await reader.type("/animate ", "Enter")
    note = reader.option("prompt").get_by_role("alert")
    await expect(note).to_have_text("This option is required. Specify a value.")
    await reader.type("ab", "Enter")
    await expect(note).to_have_text("Must be at least 3 characters; this is 2.")
    await reader.type("c seed: x", "Enter")
    seed = reader.option("seed")
    await expect(seed.get_by_role("alert")).to_have_text("Input a whole number.")
    await seed.locator("input").fill("100")
    await expect(seed.get_by_role("alert")).to_have_text("Must be between 0 and 99.")
    await seed.locator("input").fill("99")
    await reader.page.locator('[data-add-option="aspect"]').click()
    await reader.option("aspect").locator("select").select_option(label="1:1 square")
    await reader.page.locator('[data-add-option="private"]').click()
    await reader.option("private").locator("select").select_option("true")
    await reader.page.keyboard.press("Enter")
    assert await heard(bot, "animate") == ("animate", "abc", 99, "1:1", None, True)
    assert [each for each in bot.heard if each[0] == "animate"] == bot.heard


async def test_suggestions_come_from_the_bot_once_the_typing_rests(reader: Reader, bot: Counterpart) -> None:
    await reader.type("/animate a star model:")
    options = reader.page.get_by_role("listbox", name="Suggestions for model").get_by_role("option")
    await expect(options).to_have_text(["Testcard", "Shapes"])
    await reader.type("shap")
    await expect(options).to_have_text(["Shapes"])
    assert [each[1] for each in bot.heard] == ["", "shap"]
    await reader.page.keyboard.press("Enter")
    await reader.page.keyboard.press("Enter")
    assert (await heard(bot, "animate"))[1:5] == ("a star", None, None, "shapes")


async def test_files_are_picked_dropped_and_pasted(reader: Reader, bot: Counterpart) -> None:
    night, sunset = (SAMPLES / "hills-night.jpg").read_bytes(), (SAMPLES / "hills-sunset.jpg").read_bytes()
    await reader.type("/interp ")
    await drop(reader.option("last"), "night.jpg", night, "drop")
    await expect(reader.option("last").locator("b")).to_have_text("night.jpg")
    await drop(reader.option("first").locator("button").first, "sunset.jpg", sunset, "paste")
    await expect(reader.option("first").locator(".pickfile img")).to_be_visible()
    await reader.page.locator(".slash").focus()
    await reader.page.keyboard.press("Enter")
    assert await heard(bot, "interp") == ("interp", sunset, night)
    await reader.type("/img2vid ")
    await reader.page.locator("#file-image").set_input_files(SAMPLES / "boat.jpg")
    await reader.type("a calm sea", "Enter")
    assert (await heard(bot, "img2vid"))[1:] == (
        "boat.jpg",
        (SAMPLES / "boat.jpg").read_bytes(),
        "a calm sea",
    )


async def drop(target: Locator, name: str, data: bytes, how: str) -> None:
    await target.evaluate(
        """(target, [name, data, how]) => {
            const files = new DataTransfer();
            files.items.add(new File([Uint8Array.from(data)], name, {type: "image/jpeg"}));
            target.dispatchEvent(how === "drop"
                ? new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true})
                : new ClipboardEvent("paste", {clipboardData: files, bubbles: true, cancelable: true}));
        }""",
        [name, list(data), how],
    )


async def test_words_and_files_can_be_said_and_taken_back(reader: Reader, bot: Counterpart) -> None:
    await reader.page.locator("#composer > input[type=file]").set_input_files(SAMPLES / "boat.jpg")
    await reader.type("look at **this**", "Enter")
    message = reader.messages
    await expect(message.locator("strong")).to_have_text("this")
    await expect(message.locator("img")).to_have_js_property("naturalWidth", 768)
    await message.hover()
    await message.get_by_role("button", name="More").click()
    await reader.page.get_by_role("menuitem", name="Delete message").click()
    await expect(message).to_have_count(0)


async def test_a_clip_plays_on_while_reactions_and_words_change(reader: Reader, bot: Counterpart) -> None:
    await reader.type("/img2vid ")
    await reader.option("image").locator('[data-sample="boat"]').click()
    await expect(reader.option("image").locator("b")).to_have_text("boat.jpg")
    await reader.page.keyboard.press("Enter")
    message = reader.messages.filter(has=reader.page.locator("video"))
    await plays(message.locator("video"))
    await message.locator("video").evaluate("each => { each.loop = true; window.clip = each }")
    await message.hover()
    await message.locator('.toolbar [data-emoji="🔁"]').click()
    assert await heard(bot, "reaction") == ("reaction", "🔁")
    await reader.type("/queue")  # typed while a button of the message has the focus
    await expect(reader.page.locator("#text")).to_have_value("/queue")
    await reader.page.locator("#text").fill("")
    count = message.locator('.reaction[data-emoji="🔁"]')
    await expect(count).to_have_attribute("aria-pressed", "true")
    await reader.place.person("Ben").react(int(await message.get_attribute("data-message-id") or 0), "🔁")
    await expect(count.locator(".count")).to_have_text("2")
    await count.click()
    await expect(count).to_have_attribute("aria-pressed", "false")
    await message.get_by_role("button", name="Reroll").click()
    await expect(message.locator(".content")).to_contain_text("rolled again (edited)")
    await expect(message.get_by_role("button", name="Reroll")).to_be_disabled()
    same = "() => window.clip === document.querySelector('video') && !window.clip.paused"
    assert await reader.page.evaluate(same)


async def test_a_clip_in_a_card_plays_on_while_a_button_beside_it_changes(
    reader: Reader, bot: Counterpart
) -> None:
    await reader.type("/card ", "Enter")
    video = reader.messages.locator(".container .gallery video")
    await plays(video)
    await video.evaluate("each => { window.clip = each }")
    await expect(reader.messages.locator(".attachments > *")).to_have_count(0)
    await reader.page.get_by_role("button", name="Pressed 0").click()
    await expect(reader.page.get_by_role("button", name="Pressed 1")).to_be_visible()
    await expect(reader.messages.locator(".container")).to_contain_text("pressed 1 times")
    assert await reader.page.evaluate(
        "() => window.clip === document.querySelector('video') && !window.clip.paused"
    )


async def test_menus_and_forms_of_the_bot_are_answered(reader: Reader, bot: Counterpart) -> None:
    await reader.type("/later seconds: 90")
    await reader.page.get_by_role("button", name="Send").click()
    moment = reader.messages.locator("time[data-style=R]")
    await expect(moment).to_have_text("in 1 minute")
    await reader.page.get_by_label("Choose a camera").select_option("pan")
    await expect(reader.messages.last).to_contain_text("Camera: pan")
    await reader.page.get_by_role("button", name="Remix").click()
    form = reader.page.get_by_role("dialog", name="Remix")
    await expect(form.get_by_label("Prompt")).to_have_value("a red star")
    await form.get_by_label("Prompt").fill("")
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("alert").first).to_have_text("This field is required.")
    await form.get_by_label("Prompt").fill("a blue star")
    await form.get_by_role("button", name="Submit").click()
    await expect(form).to_have_count(0)
    await expect(reader.messages.last).to_contain_text("Remixed: a blue star")


async def test_embeds_files_spoilers_and_menus_of_many_are_shown(reader: Reader, bot: Counterpart) -> None:
    await reader.type("/parts ", "Enter")
    embed = reader.messages.locator(".embed")
    await expect(embed.locator(".embed-title")).to_have_text("Your clips")
    await expect(embed.locator("em")).to_have_text("three")
    await expect(embed.locator("dd strong")).to_have_text("2")
    await expect(embed.locator("footer")).to_have_text("page 1 of 3")
    file = reader.messages.get_by_role("link", name="notes.txt")
    await expect(file).to_contain_text("7 bytes")
    address = str(await file.get_attribute("href"))
    assert await reader.page.evaluate("async each => (await fetch(each)).text()", address) == "seed 7\n"
    cover = reader.messages.locator(".covered")
    await expect(cover.locator("video")).to_have_js_property("paused", True)
    await cover.get_by_role("button", name="Spoiler").click()
    await expect(cover.locator("video")).to_have_css("filter", "none")
    menu = reader.messages.locator("details.many")
    await menu.locator("summary").click()
    await expect(menu.get_by_role("button", name="Done")).to_be_disabled()
    await menu.get_by_label("one", exact=True).check()
    await menu.get_by_label("three").check()
    await expect(menu.get_by_label("two")).to_be_disabled()
    await menu.get_by_role("button", name="Done").click()
    await expect(reader.messages.last).to_contain_text("Chosen: one, three")


async def test_all_can_be_done_by_keys(reader: Reader, bot: Counterpart) -> None:
    await reader.type("one", "Enter")
    await expect(reader.messages).to_have_count(1)
    await reader.type("two", "Enter")
    await expect(reader.messages).to_have_count(2)
    await reader.type("", "Shift+Tab", "Shift+Tab")
    await expect(reader.messages.last).to_be_focused()
    await reader.type("", "ArrowUp")
    await expect(reader.messages.first).to_be_focused()
    await reader.type("", "Tab", "Enter")
    await expect(reader.messages.first.locator(".reaction")).to_have_attribute("data-emoji", "🔁")
    await reader.type("", "Shift+Tab", "Shift+F10")
    await expect(reader.page.get_by_role("menu")).to_be_visible()
    await reader.type("", "ArrowUp", "Enter")
    await expect(reader.messages).to_have_count(1)


async def test_a_private_answer_is_marked_dismissed_and_not_for_others(
    reader: Reader, bot: Counterpart
) -> None:
    await reader.type("hello", "Enter")
    await reader.messages.click(button="right")
    await reader.page.locator('[data-menu-command="Clip info"]').click()
    assert str((await heard(bot, "info"))[1]) == await reader.messages.first.get_attribute("data-message-id")
    answer = reader.messages.last
    await expect(answer).to_contain_text("Only you can see this")
    await expect(answer.locator(".toolbar .react")).to_have_count(0)
    await reader.page.locator('[data-person="ben"]').click()
    await expect(reader.page.locator('[data-person="ben"]')).to_have_attribute("aria-pressed", "true")
    await expect(reader.messages).to_have_count(1)
    await reader.page.locator('[data-person="ada"]').click()
    await expect(reader.messages).to_have_count(2)
    await reader.page.get_by_role("button", name="Dismiss message").click()
    await expect(reader.messages).to_have_count(1)


async def test_silence_of_the_bot_is_said(
    reader: Reader, bot: Counterpart, patch: pytest.MonkeyPatch
) -> None:
    patch.setattr(reader.place.world, "answer_within", 0.4)
    try:
        await reader.type("/silence ", "Enter")
        waiting = reader.page.locator(".pending")
        await expect(waiting).to_contain_text("The application did not respond")
        await waiting.get_by_role("button", name="Dismiss message").click()
        await expect(waiting).to_have_count(0)
        reader.place.world.answer_within = 3.0
        await reader.type("/later seconds: 5", "Enter")
        await expect(reader.messages).to_have_count(1)
        reader.place.world.answer_within = 0.4
        await reader.page.get_by_role("button", name="Silent").click()
        await expect(reader.messages.locator(".failure")).to_have_text("The application did not respond")
    finally:
        reader.place.world.answer_within = 3.0


async def test_what_people_write_is_never_markup(reader: Reader, bot: Counterpart) -> None:
    await reader.type("/animate ")
    await reader.page.keyboard.insert_text("<img src=x onerror=hacked=1> [x](javascript:1)")
    await reader.option("prompt").locator("textarea").fill("<img src=x onerror=hacked=1> ")
    await reader.page.keyboard.press("Enter")
    await expect(reader.messages).to_contain_text(
        "<img src=x onerror=hacked=1> <script>window.hacked = 1</script>"
    )
    assert await reader.page.evaluate(
        "() => [typeof hacked, document.querySelectorAll('.messages script, .content img').length]"
    ) == ["undefined", 0]


AWAY = 'target="_blank" rel="noreferrer noopener"'
MARKDOWN = {
    "**bold** *it* _it_ ***both*** __under__ ~~gone~~": "<p><strong>bold</strong> <em>it</em> <em>it</em> "
    "<strong><em>both</em></strong> <u>under</u> <s>gone</s></p>",
    "snake_case_word and 2 * 3 * 4": "<p>snake_case_word and 2 * 3 * 4</p>",
    r"\*plain\* `a **b**`": "<p>*plain* <code>a **b**</code></p>",
    "```py\na <b>\n```after": '<pre data-language="py"><code>a &lt;b&gt;</code></pre><p>after</p>',
    "# One\n-# small\n> said\n- a\n- b": '<h3 class="h1">One</h3><small class="subtext">small</small>'
    "<blockquote><p>said</p></blockquote><ul><li>a</li><li>b</li></ul>",
    "see https://a.b/c_d_e.": f'<p>see <a href="https://a.b/c_d_e" {AWAY}>https://a.b/c_d_e</a>.</p>',
    "[x](https://a.b) [y](javascript:1)": f'<p><a href="https://a.b" {AWAY}>x</a> [y](javascript:1)</p>',
    "<@5> <#6> </animate:7>": '<p><span class="mention" data-user-id="5">@u5</span> '
    '<span class="mention">#c6</span> <button type="button" class="mention" '
    'data-type-command="animate">/animate</button></p>',
    "a <b> & 1 < 2 **": "<p>a &lt;b&gt; &amp; 1 &lt; 2 **</p>",
}


async def test_markdown_of_chat(reader: Reader) -> None:
    drawn = await reader.page.evaluate(
        """async sources => {
            const { markdown } = await import("/static/markdown.js");
            const names = { user: id => `u${id}`, channel: id => `c${id}`, role: id => `r${id}` };
            const box = document.createElement("div");
            return Object.fromEntries(sources.map(source => {
                box.replaceChildren(...markdown(source, names));
                return [source, box.innerHTML];
            }));
        }""",
        list(MARKDOWN),
    )
    assert drawn == MARKDOWN


async def test_a_spoiler_opens_and_moments_are_told_in_every_style(reader: Reader) -> None:
    await reader.type("||hidden|| <t:1700000000> <t:1700000000:d> <t:1700000000:R>", "Enter")
    spoiler = reader.messages.get_by_role("button", name="Spoiler")
    assert await spoiler.locator("span").evaluate("each => getComputedStyle(each).visibility") == "hidden"
    await spoiler.focus()
    await reader.page.keyboard.press("Enter")
    await expect(reader.messages.get_by_text("hidden")).to_be_visible()
    times = reader.messages.locator(".content time")
    assert "2023" in await times.nth(0).inner_text()
    assert re.fullmatch(r"\d+ years ago", await times.nth(2).inner_text())


async def test_the_list_follows_its_end_only_for_who_reads_there(reader: Reader) -> None:
    ben = reader.place.person("Ben")
    for at in range(30):
        await ben.say(reader.channel, f"line {at}\nand more")
    await expect(reader.messages).to_have_count(30)
    await expect(reader.messages.last).to_be_in_viewport()
    await reader.page.locator(".scroll").evaluate("each => each.scrollTo(0, 0)")
    newer = reader.page.get_by_role("button", name="Newer messages")
    await expect(newer).to_be_visible()
    await ben.say(reader.channel, "the last one")
    await expect(reader.messages).to_have_count(31)
    await expect(reader.messages.first).to_be_in_viewport()
    await newer.click()
    await expect(reader.messages.last).to_be_in_viewport()


@pytest.mark.parametrize("width", [400, 1100])
async def test_nothing_is_wider_than_the_window(reader: Reader, width: int) -> None:
    await reader.page.set_viewport_size({"width": width, "height": 700})
    await reader.type("/card ", "Enter")
    await expect(reader.messages.locator("video")).to_have_js_property("videoWidth", 160)
    await reader.type("/interp ")
    assert await reader.page.evaluate("() => document.scrollingElement.scrollWidth") <= width
    assert await reader.page.locator(".scroll").evaluate("each => each.scrollWidth - each.clientWidth") == 0
    assert await reader.page.locator("#composer").evaluate("each => each.scrollWidth - each.clientWidth") == 0


async def test_a_letter_from_the_bot_is_seen_and_read(reader: Reader, bot: Counterpart) -> None:
    await reader.type("/later seconds: 9", "Enter")
    await reader.messages.hover()
    await reader.messages.get_by_role("button", name="Add reaction").click()
    await reader.page.get_by_role("dialog", name="React").get_by_role("button", name="letter").click()
    letter = reader.page.locator(".channel.unread")
    await expect(letter).to_contain_text("zoetrope")
    await letter.click()
    await expect(reader.page.locator(".place")).to_have_text("@zoetrope")
    await expect(reader.messages).to_contain_text("A letter")
    await expect(reader.page.locator(".channel.unread")).to_have_count(0)


async def test_a_private_channel_with_the_bot_is_opened(reader: Reader) -> None:
    await reader.page.locator('[data-person="ben"]').click()
    await reader.page.locator("[data-open-direct]").click()
    await expect(reader.page.locator(".place")).to_have_text("@zoetrope")
    await expect(reader.page.locator('.channel[aria-current="page"]')).to_have_text("zoetrope")


async def test_commands_speak_the_persons_language(reader: Reader, bot: Counterpart) -> None:
    await reader.page.get_by_label("Language").select_option("ja")
    await reader.page.locator("#text").focus()
    await reader.type("/あ")
    await expect(reader.page.locator(".hint")).to_contain_text("時刻のあるメッセージ")
    await reader.type("", "Enter")
    await reader.type("秒数: 40", "Enter")
    assert await heard(bot, "later") == ("later", "ja")
    await expect(reader.messages).to_have_count(1)
    await reader.page.get_by_label("Language").select_option("en-US")


async def test_a_link_to_a_message_leads_to_it_on_the_page(reader: Reader) -> None:
    ben = reader.place.person("Ben")
    old = await ben.say(reader.channel, "the old one")
    for at in range(60):
        await ben.say(reader.channel, f"line {at}")
    other = await reader.place.do(places.add_channel, reader.place.guild, "elsewhere")
    address = f"https://discord.com/channels/{reader.place.guild.id}/{reader.channel}/{old['id']}"
    await ben.say(other.id, f"see [it]({address})")
    await reader.page.reload()
    await reader.page.locator(f'[data-channel-id="{other.id}"]').click()
    await reader.messages.get_by_role("link", name="it").click()
    await expect(reader.page.locator(".place")).to_have_text(
        f"#{reader.place.world.channels[reader.channel].name}"
    )
    await expect(reader.page.locator(".pointed")).to_contain_text("the old one")
    await expect(reader.page.locator(".pointed")).to_be_in_viewport()


async def test_earlier_messages_are_fetched_above(reader: Reader) -> None:
    for at in range(60):
        await reader.place.person("Ben").say(reader.channel, f"line {at}")
    await reader.page.reload()
    await expect(reader.messages).to_have_count(50)
    await reader.page.get_by_role("button", name="Show earlier messages").click()
    await expect(reader.messages).to_have_count(60)
    await expect(reader.messages.first).to_contain_text("line 0")
    await expect(reader.page.get_by_role("button", name="Show earlier messages")).to_be_hidden()
    await expect(reader.messages.nth(10)).to_be_in_viewport()


async def test_only_the_pages_own_origin_may_act(place: Playground, bot: Counterpart) -> None:
    person = place.user("Ada").id
    form = {"act": f'{{"deed": "say", "channel_id": "{place.channel("clips")}", "content": "x"}}'}
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": place.url, "Host": "evil.example"}):
            data = aiohttp.FormData(form, default_to_multipart=True)
            async with session.post(
                f"{place.url}/page/act?person={person}", data=data, headers=headers
            ) as answer:
                assert answer.status == 403
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await session.ws_connect(f"{place.url}/page/socket", headers=headers)
        data = aiohttp.FormData(form, default_to_multipart=True)
        async with session.post(
            f"{place.url}/page/act?person={person}", data=data, headers={"Origin": place.url}
        ) as answer:
            assert answer.status == 200
        async with session.get(place.url) as answer:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        async with session.get(yarl.URL(f"{place.url}/static/..%2fpage.py", encoded=True)) as answer:
            assert answer.status == 404


async def test_the_page_comes_back_by_itself_after_a_restart(browser: Browser, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        first = Playground(tmp_path, verify=False)
        async with first:
            context = await browser.new_context()
            stack.push_async_callback(context.close)
            reader = await Reader(await context.new_page(), first, first.channel("clips")).open()
            await reader.type("before", "Enter")
            await expect(reader.messages).to_have_count(1)
        await expect(reader.page.locator("body")).to_have_attribute("data-state", "lost")
        await expect(reader.page.locator(".notice")).to_contain_text("not reachable")
        async with Playground(tmp_path, port=first.port, verify=False) as second:
            await expect(reader.page.locator("body")).to_have_attribute("data-state", "ready")
            await expect(reader.page.locator(".notice")).to_have_count(0)
            await second.person("Ben").say(second.channel("clips"), "after")
            await expect(reader.messages).to_have_text([re.compile("before"), re.compile("after")])


async def test_the_samples_are_small_pictures() -> None:
    for name in ("hills-sunset", "hills-night", "boat"):
        data = (SAMPLES / f"{name}.jpg").read_bytes()
        assert data[:2] == b"\xff\xd8"
        assert len(data) < 60_000
