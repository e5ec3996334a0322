"""A small bot of discord.py, unchanged, that the page's tests talk to."""

import asyncio
import io
import tempfile
from pathlib import Path
from typing import Any

import av
import discord
import numpy as np
from discord import app_commands


def clip(width: int = 160, height: int = 96, frames: int = 36) -> bytes:
    """An MP4 as chat clients play it inline: H.264, yuv420p, faststart; a light that moves."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        _film(file.name, width, height, frames)
        return Path(file.name).read_bytes()


def _film(path: str, width: int, height: int, frames: int) -> None:
    with av.open(path, "w", options={"movflags": "faststart"}) as box:
        stream = box.add_stream("libx264", rate=24, options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        rows, columns = np.mgrid[:height, :width]
        for at in range(frames):
            light = np.exp(-((columns - width * at / frames) ** 2 + (rows - height / 2) ** 2) / 300)
            picture = np.stack([70 + 180 * light, 40 + 120 * light, 90 + rows * 0.8], axis=-1)
            frame = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="rgb24")
            box.mux(stream.encode(frame))
        box.mux(stream.encode(None))


class Remix(discord.ui.Modal, title="Remix"):
    prompt: discord.ui.TextInput["Remix"] = discord.ui.TextInput(
        label="Prompt", default="a red star", max_length=20
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"Remixed: {self.prompt.value}", ephemeral=True)


class Buttons(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Reroll", emoji="🔁", style=discord.ButtonStyle.primary, custom_id="reroll")
    async def reroll(self, interaction: discord.Interaction, button: discord.ui.Button["Buttons"]) -> None:
        button.disabled = True
        await interaction.response.edit_message(content="rolled again", view=self)

    @discord.ui.button(label="Remix", emoji="🔀", custom_id="remix")
    async def remix(self, interaction: discord.Interaction, button: discord.ui.Button["Buttons"]) -> None:
        await interaction.response.send_modal(Remix())

    @discord.ui.button(label="Silent", custom_id="silent")
    async def silent(self, interaction: discord.Interaction, button: discord.ui.Button["Buttons"]) -> None:
        """Never answers."""

    @discord.ui.select(
        placeholder="Choose a camera",
        custom_id="camera",
        options=[
            discord.SelectOption(label="Zoom in", value="zoom"),
            discord.SelectOption(label="Pan left", value="pan"),
        ],
    )
    async def camera(self, interaction: discord.Interaction, select: discord.ui.Select["Buttons"]) -> None:
        await interaction.response.send_message(f"Camera: {select.values[0]}")


class Card(discord.ui.LayoutView):
    """A clip in Components V2."""

    def __init__(self, presses: int) -> None:
        super().__init__(timeout=None)
        more: discord.ui.Button[Card] = discord.ui.Button(label=f"Pressed {presses}", custom_id="more")
        row: discord.ui.ActionRow[Card] = discord.ui.ActionRow(more)
        self.add_item(
            discord.ui.Container(
                discord.ui.TextDisplay("## A red star"),
                discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://star_seed7.mp4")),
                discord.ui.Separator(),
                discord.ui.TextDisplay(f"pressed {presses} times"),
                row,
                accent_colour=0xD2691E,
            )
        )
        self.presses = presses
        more.callback = self.press  # type: ignore[method-assign]  # discord.py's own way for a lone button

    async def press(self, interaction: discord.Interaction) -> None:
        await interaction.response.edit_message(view=Card(self.presses + 1))


class Counterpart(discord.Client):
    """Answers the page's tests and writes down what it heard in `heard`."""

    def __init__(self) -> None:
        intents = discord.Intents.none()
        intents.guilds = intents.guild_messages = intents.guild_reactions = True
        super().__init__(
            intents=intents, allowed_mentions=discord.AllowedMentions.none(), guild_ready_timeout=0.1
        )
        self.tree = app_commands.CommandTree(self)
        self.heard: list[Any] = []
        self.news = asyncio.Event()
        self.clip = clip()
        for command in (animate, img2vid, interp, card, later, parts, silence, group, info):
            self.tree.add_command(command)

    async def setup_hook(self) -> None:
        await self.tree.set_translator(Words())
        await self.tree.sync()

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        self.note("reaction", str(payload.emoji))
        if str(payload.emoji) == "✉️":
            await (await self.fetch_user(payload.user_id)).send("A letter", file=self.video())

    def note(self, *what: Any) -> None:
        self.heard.append(what)
        self.news.set()

    def video(self, name: str = "star_seed7.mp4") -> discord.File:
        return discord.File(io.BytesIO(self.clip), name)


Asked = discord.Interaction[Counterpart]


@app_commands.command(description="Words become a clip")
@app_commands.choices(
    aspect=[
        app_commands.Choice(name="16:9 wide", value="16:9"),
        app_commands.Choice(name="1:1 square", value="1:1"),
    ]
)
async def animate(
    interaction: Asked,
    prompt: app_commands.Range[str, 3, 40],
    seed: app_commands.Range[int, 0, 99] | None = None,
    aspect: str | None = None,
    model: str | None = None,
    private: bool = False,
) -> None:
    interaction.client.note("animate", prompt, seed, aspect, model, private)
    await interaction.response.send_message(
        f"**{prompt}** <script>window.hacked = 1</script>", ephemeral=private
    )


@animate.autocomplete("model")
async def models(interaction: Asked, current: str) -> list[app_commands.Choice[str]]:
    interaction.client.note("models", current)
    return [
        app_commands.Choice(name=each.title(), value=each)
        for each in ("testcard", "shapes")
        if current in each
    ]


@app_commands.command(description="A camera moves through your picture")
async def img2vid(interaction: Asked, image: discord.Attachment, prompt: str | None = None) -> None:
    await interaction.response.defer()
    data = await image.read()
    interaction.client.note("img2vid", image.filename, data, prompt)
    await interaction.followup.send(
        f"{interaction.user.mention} **{image.filename}**", file=interaction.client.video(), view=Buttons()
    )


@app_commands.command(description="One picture turns into the other")
async def interp(interaction: Asked, first: discord.Attachment, last: discord.Attachment) -> None:
    interaction.client.note("interp", await first.read(), await last.read())
    await interaction.response.send_message(file=interaction.client.video())


@app_commands.command(description="A clip in a card")
async def card(interaction: Asked) -> None:
    await interaction.response.send_message(view=Card(0), file=interaction.client.video())


class Words(app_commands.Translator):
    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        known = {
            "later": "あとで",
            "A message with a moment in it": "時刻のあるメッセージ",
            "seconds": "秒数",
        }
        return known.get(string.message) if locale is discord.Locale.japanese else None


@app_commands.command(description="A message with a moment in it")
async def later(interaction: Asked, seconds: int) -> None:
    interaction.client.note("later", str(interaction.locale))
    moment = int(discord.utils.utcnow().timestamp()) + seconds
    await interaction.response.send_message(f"Done <t:{moment}:R>", view=Buttons())


class Many(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.select(
        placeholder="Choose two",
        custom_id="two",
        min_values=2,
        max_values=2,
        options=[discord.SelectOption(label=each, value=each) for each in ("one", "two", "three")],
    )
    async def two(self, interaction: discord.Interaction, select: discord.ui.Select["Many"]) -> None:
        await interaction.response.send_message("Chosen: " + ", ".join(select.values))


@app_commands.command(description="Embeds, files, menus")
async def parts(interaction: Asked) -> None:
    embed = discord.Embed(title="Your clips", description="The last *three*", colour=0x2F7D4F)
    embed.add_field(name="Waiting", value="**2**").set_footer(text="page 1 of 3")
    files = [interaction.client.video("SPOILER_a.mp4"), discord.File(io.BytesIO(b"seed 7\n"), "notes.txt")]
    await interaction.response.send_message("All of it", embed=embed, files=files, view=Many())


@app_commands.command(description="Never answers")
async def silence(interaction: Asked) -> None:
    """Nothing is said."""


group = app_commands.Group(name="privacy", description="Your data")


@group.command(description="A copy of all of it")
async def export(interaction: Asked) -> None:
    await interaction.response.send_message("Here it is.", ephemeral=True)


@app_commands.context_menu(name="Clip info")
async def info(interaction: Asked, message: discord.Message) -> None:
    interaction.client.note("info", message.id)
    await interaction.response.send_message(f"About {message.id}", ephemeral=True)
