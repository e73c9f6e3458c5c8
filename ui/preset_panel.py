"""Preset list: search, tags, and a click to hear one."""

from __future__ import annotations

import collections
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QKeyEvent, QMouseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLayout,
    QLayoutItem,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from noisysynth.instrument import Preset
from noisysynth.ui import theme
from noisysynth.ui.controls.base import came_by_keyboard
from noisysynth.ui.controls.standard import Button, IconButton, paint_icon
from noisysynth.ui.favourites import Favourites
from noisysynth.ui.player import Player
from noisysynth.ui.user_presets import LONGEST_NAME, UserPreset

ROW_HEIGHT = 5 * theme.UNIT
MAXIMUM_CHIPS = 8
PRESET_FILES = "Presets (*.noisypreset);;All files (*)"
INDEX_ROLE = Qt.ItemDataRole.UserRole
TAGS_ROLE = Qt.ItemDataRole.UserRole + 1
STAR_ROLE = Qt.ItemDataRole.UserRole + 2
STAR_WIDTH = 4 * theme.UNIT
FAVOURITES = "\u2605 Favourites"


def matches(preset: Preset | UserPreset, words: str, tags: frozenset[str]) -> bool:
    """Whether every typed word is in the name or a tag, and every chosen tag is there."""
    text = " ".join((preset.name, *preset.tags)).casefold()
    return all(word in text for word in words.casefold().split()) and tags <= set(preset.tags)


class FlowLayout(QLayout):
    """Left to right, then the next line."""

    def __init__(self, parent: QWidget | None = None, gap: int = theme.HALF) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._gap = gap
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._place(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._place(rect, move=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        width = max((item.minimumSize().width() for item in self._items), default=0)
        return QSize(width, 0)

    def _place(self, rect: QRect, move: bool) -> int:
        x, y, line = rect.x(), rect.y(), 0
        for item in self._items:
            size = item.sizeHint()
            if x > rect.x() and x + size.width() > rect.right() + 1:
                x, y, line = rect.x(), y + line + self._gap, 0
            if move:
                item.setGeometry(QRect(x, y, size.width(), size.height()))
            x += size.width() + self._gap
            line = max(line, size.height())
        return y + line - rect.y()


class _PresetDelegate(QStyledItemDelegate):
    """Name over tags; the chosen one has a bar at its left and a brighter name."""

    def __init__(self, presets: PresetList) -> None:
        super().__init__(presets)
        self._presets = presets

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        state = option.state
        rect = QRectF(option.rect).adjusted(0, 1, -1, -1)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        if chosen or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.qcolor(theme.RAISED_HOVER if chosen else theme.RAISED))
            painter.drawRoundedRect(rect, theme.RADIUS, theme.RADIUS)
        if chosen:
            painter.setBrush(theme.qcolor(theme.ACCENT))
            painter.drawRoundedRect(QRectF(rect.left(), rect.top() + 6, 3, rect.height() - 12), 1.5, 1.5)
        if state & QStyle.StateFlag.State_HasFocus and self._presets.ring:
            painter.setPen(theme.qcolor(theme.ACCENT))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), theme.RADIUS, theme.RADIUS)
        marked = bool(index.data(STAR_ROLE))
        text = rect.adjusted(0, 0, -STAR_WIDTH if marked or hovered or chosen else 0, 0)
        self._paint_text(painter, text, str(index.data()), str(index.data(TAGS_ROLE)), chosen)
        if marked or hovered or chosen:
            colour = theme.ACCENT if marked else theme.TEXT_QUIET
            paint_icon(painter, "star", star_rect(option.rect), colour, 1.25, filled=marked)
        painter.restore()

    @staticmethod
    def _paint_text(painter: QPainter, rect: QRectF, name: str, tags: str, chosen: bool) -> None:
        left, width = rect.left() + 1.5 * theme.UNIT, rect.width() - 2 * theme.UNIT
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.font(theme.BODY, QFont.Weight.DemiBold if chosen else QFont.Weight.Normal))
        painter.setPen(theme.qcolor(theme.TEXT))
        elide = Qt.TextElideMode.ElideRight
        name = painter.fontMetrics().elidedText(name, elide, int(width))
        top = QRectF(left, rect.top(), width, rect.height())
        if tags:
            top.setHeight(rect.height() * 0.58)
        painter.drawText(top, middle, name)
        if tags:
            painter.setFont(theme.font(theme.SMALL))
            painter.setPen(theme.qcolor(theme.TEXT_QUIET))
            below = QRectF(left, rect.top() + rect.height() * 0.48, width, rect.height() * 0.46)
            painter.drawText(below, middle, painter.fontMetrics().elidedText(tags, elide, int(width)))


def star_rect(row: QRect) -> QRectF:
    """Where the star of a row of the list is."""
    return QRectF(row.right() + 1 - STAR_WIDTH, row.top(), STAR_WIDTH, row.height())


class PresetList(QListWidget):
    """Knows whether the keyboard brought the focus, tells a click on a star, and shows whole rows only."""

    starred = Signal(QListWidgetItem)

    ring = False

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # By the row, and a height of whole rows (see below): else a sliver of a row stands above or below.
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerItem)
        self.setUniformItemSizes(True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setViewportMargins(0, 0, 0, self.contentsRect().height() % ROW_HEIGHT)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        item = self.itemAt(event.position().toPoint())
        on_star = item is not None and star_rect(self.visualItemRect(item)).contains(event.position())
        if on_star and event.button() == Qt.MouseButton.LeftButton:
            self.starred.emit(item)
            event.accept()
        else:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        item = self.itemAt(event.position().toPoint())
        if item is None or not star_rect(self.visualItemRect(item)).contains(event.position()):
            super().mouseReleaseEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.ring = came_by_keyboard(event) or event.reason() == Qt.FocusReason.OtherFocusReason
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.ring = False
        super().focusOutEvent(event)


class SearchField(QLineEdit):
    """Escape clears it and gives the keys back to playing; Down goes to the list."""

    left = Signal()
    taken = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.taken.emit()
        else:
            super().keyPressEvent(event)


class PresetPanel(QFrame):
    """Follows the player's instrument and preset."""

    import_asked = Signal(Path)
    edited = Signal()  # something that the session keeps

    def __init__(self, player: Player, favourites: Favourites, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.favourites = favourites
        self.setProperty("panel", True)

        self.search = SearchField()
        self.search.setPlaceholderText("Search presets")
        self.search.setAccessibleName("Search presets")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.search.left.connect(lambda: self.list.setFocus())
        self.search.taken.connect(self._take_first)
        self._chips = QWidget()
        FlowLayout(self._chips)
        self.chips: dict[str, Button] = {}
        self.list: PresetList = PresetList()
        self.list.setAccessibleName("Presets")
        self.list.setItemDelegate(_PresetDelegate(self.list))
        self.list.starred.connect(lambda item: self.toggle_favourite(item.data(INDEX_ROLE)))
        self.list.itemClicked.connect(self._clicked)
        self.list.currentItemChanged.connect(self._moved)
        self.count = QLabel()
        self.count.setProperty("quiet", True)
        self.count.setFont(theme.font(theme.SMALL))
        self._nothing = QLabel("Nothing found")
        self._nothing.setProperty("quiet", True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.hide()

        heading = QLabel("Presets")
        heading.setProperty("heading", True)
        head = QHBoxLayout()
        head.setContentsMargins(theme.HALF, 0, theme.HALF, 0)
        head.addWidget(heading)
        head.addStretch()
        head.addWidget(self.count)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.UNIT, theme.UNIT, theme.UNIT, theme.UNIT)
        column.setSpacing(theme.UNIT)
        column.addLayout(head)
        column.addWidget(self.search)
        column.addWidget(self._chips)
        column.addWidget(self._nothing)
        column.addWidget(self.list, 1)
        column.addLayout(self._edit_row())

        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        player.instrument_changed.connect(self._fill)
        player.presets_changed.connect(self._fill)
        player.preset_changed.connect(self._show_preset)
        player.history_changed.connect(self._show_history)
        favourites.changed.connect(self._show_stars)
        self._show_history()
        self._fill()

    def _edit_row(self) -> QHBoxLayout:
        """Undo, redo, and which of two settings plays."""
        player = self._player
        self.undo = IconButton("undo", "Undo (Ctrl+Z)")
        self.undo.clicked.connect(player.undo)
        self.redo = IconButton("redo", "Redo (Ctrl+Shift+Z)")
        self.redo.clicked.connect(player.redo)
        self.save = IconButton("save", "Save the sound as a preset (Ctrl+S)")
        self.save.clicked.connect(self.ask_save)
        self.compare = Button()
        self.compare.setFixedWidth(theme.BUTTON_HEIGHT)
        self.compare.setProperty("letter", True)
        self.compare.setToolTip("Compare two settings of the sound (Ctrl+B); B begins as A is")
        self.compare.clicked.connect(player.compare)
        self.audition = IconButton("note", "Hear presets when they are clicked")
        self.audition.setCheckable(True)
        self.audition.setChecked(True)
        self.audition.toggled.connect(self.edited)
        self.draw = IconButton("dice", "A timbre that nobody has (Ctrl+N)")
        self.draw.clicked.connect(self.draw_timbre)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.HALF)
        row.addWidget(self.undo)
        row.addWidget(self.redo)
        row.addWidget(self.audition)
        row.addWidget(self.draw)
        row.addStretch()
        row.addWidget(self.save)
        row.addWidget(self.compare)
        return row

    # presets of one's own

    def ask_save(self) -> None:
        player = self._player
        of_mine = player.mine_at(player.preset) is not None
        name = self.ask_name("Save preset", player.preset_name if of_mine else "")
        if name:
            player.save_preset(name)

    def ask_name(self, title: str, name: str) -> str:
        """'' when the player thinks better of it."""
        dialog = QInputDialog(self)
        dialog.setWindowTitle(title)
        dialog.setLabelText("Name")
        dialog.setTextValue(name)
        field = dialog.findChild(QLineEdit)
        if field is not None:
            field.setMaxLength(LONGEST_NAME)
        return dialog.textValue().strip() if dialog.exec() else ""

    def menu_for(self, index: int) -> QMenu:
        """What can be done with this preset, or (-1) with none in particular."""
        player, menu = self._player, QMenu(self)
        menu.addAction("Save as\u2026", self.ask_save)
        if 0 <= index < len(player.presets):
            marked = self._key(index) in self.favourites
            star = "Take the star away" if marked else "Mark with a star"
            menu.addAction(f"{star}\tCtrl+D", lambda: self.toggle_favourite(index))
        if player.mine_at(index) is not None:
            name = player.presets[index].name
            menu.addAction("Rename\u2026", lambda: self._ask_rename(index))
            menu.addAction(f"Delete \u201c{name}\u201d", lambda: player.delete_preset(index))
            menu.addAction("Export\u2026", lambda: self._ask_export(index))
        if player.mine is not None and player.mine.deleted is not None:
            menu.addAction(f"Bring back \u201c{player.mine.deleted.name}\u201d", player.restore_preset)
        menu.addSeparator()
        menu.addAction("Import\u2026", self._ask_import)
        return menu

    def _show_menu(self, place: QPoint) -> None:
        item = self.list.itemAt(place)
        self.menu_for(item.data(INDEX_ROLE) if item is not None else -1).popup(self.list.mapToGlobal(place))

    def _ask_rename(self, index: int) -> None:
        instrument, before = self._key(index)
        name = self.ask_name("Rename preset", before)
        if name:
            self._player.rename_preset(index, name)
            self.favourites.rename(instrument, before, self._player.presets[index].name)

    def _ask_export(self, index: int) -> None:
        suggestion = f"{self._player.presets[index].name}.noisypreset"
        path, _ = QFileDialog.getSaveFileName(self, "Export preset", suggestion, PRESET_FILES)
        if path:
            self._player.export_preset(index, Path(path))

    def _ask_import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Import preset", "", PRESET_FILES)
        if path:
            self.import_asked.emit(Path(path))

    def _show_history(self) -> None:
        self.undo.setEnabled(self._player.can_undo)
        self.redo.setEnabled(self._player.can_redo)
        side = self._player.side
        self.compare.setText(side)
        self.compare.setAccessibleName(f"Compare: {side} plays")

    # favourites

    def _key(self, index: int) -> tuple[str, str]:
        """What favourites know a preset by."""
        instrument = self._player.instrument
        return (instrument.name if instrument is not None else "", self._player.presets[index].name)

    def toggle_favourite(self, index: int | None = None) -> None:
        """Mark a preset with a star, or take it away; None: the chosen one."""
        index = self._player.preset if index is None else index
        if 0 <= index < len(self._player.presets):
            self.favourites.toggle(*self._key(index))

    def _show_stars(self) -> None:
        for row in range(self.list.count()):
            item = self.list.item(row)
            item.setData(STAR_ROLE, self._key(item.data(INDEX_ROLE)) in self.favourites)
        self._show_favourites_chip()
        self._filter()

    def _show_favourites_chip(self) -> None:
        """It is there as soon as there is a star, and as long as it is pressed."""
        chip = self.favourites_chip
        chip.setVisible(chip.isChecked() or any(self._key(i) in self.favourites for i in range(self.list.count())))
        self._chips.setVisible(bool(self.chips) or not chip.isHidden())
        self._chips.updateGeometry()

    # content

    def _fill(self) -> None:
        presets = self._player.presets
        self.list.blockSignals(True)
        self.list.clear()
        for index, preset in enumerate(presets):
            item = QListWidgetItem(preset.name)
            item.setData(INDEX_ROLE, index)
            item.setData(TAGS_ROLE, " \u00b7 ".join(preset.tags))
            item.setData(STAR_ROLE, self._key(index) in self.favourites)
            item.setToolTip("\n".join((preset.name, ", ".join(preset.tags))).strip())
            self.list.addItem(item)
        self.list.blockSignals(False)
        self._fill_chips(presets)
        self._filter()

    def _fill_chips(self, presets: tuple[Preset | UserPreset, ...]) -> None:
        layout = self._chips.layout()
        assert layout is not None
        while (item := layout.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()  # it may stay for a moment
                widget.deleteLater()
        self.chips = {}
        self.favourites_chip = self._chip(FAVOURITES, "Only favourites")
        layout.addWidget(self.favourites_chip)
        frequency = collections.Counter(tag for preset in presets for tag in preset.tags)
        for tag, _ in sorted(frequency.most_common(MAXIMUM_CHIPS), key=lambda pair: (-pair[1], pair[0])):
            self.chips[tag] = self._chip(tag, f"Only presets tagged {tag}")
            layout.addWidget(self.chips[tag])
        self._show_favourites_chip()

    def _chip(self, text: str, name: str) -> Button:
        chip = Button(text)
        chip.setProperty("chip", True)
        chip.setCheckable(True)
        chip.setAccessibleName(name)
        chip.toggled.connect(self._filter)
        return chip

    def _filter(self) -> None:
        presets = self._player.presets
        tags = frozenset(tag for tag, chip in self.chips.items() if chip.isChecked())
        only_marked, shown = self.favourites_chip.isChecked(), 0
        for row in range(self.list.count()):
            item = self.list.item(row)
            hidden = not matches(presets[item.data(INDEX_ROLE)], self.search.text(), tags) or (
                only_marked and not item.data(STAR_ROLE)
            )
            item.setHidden(hidden)
            shown += not hidden
        total = self.list.count()
        self.count.setText(f"{shown}" if shown == total else f"{shown} of {total}")
        self._nothing.setVisible(total > 0 and shown == 0)

    def shown(self) -> list[int]:
        """Presets that pass the search, in order."""
        rows = (self.list.item(row) for row in range(self.list.count()))
        return [item.data(INDEX_ROLE) for item in rows if not item.isHidden()]

    def _show_preset(self, index: int) -> None:
        self.list.blockSignals(True)
        self.list.setCurrentRow(index)
        self.list.blockSignals(False)
        item = self.list.item(index)
        if item is not None and not item.isHidden():
            self.list.scrollToItem(item)

    # gestures

    def choose(self, index: int) -> None:
        """Play this preset from now on; let it be heard, too, where the player wants that."""
        if self.audition.isChecked():
            self._player.audition(index)
        else:
            self._player.choose_preset(index)

    def draw_timbre(self) -> None:
        """A timbre that nobody has, heard where presets are."""
        self._player.new_timbres.draw(self.audition.isChecked())

    def step(self, step: int) -> None:
        """To the next or the one before of those that are shown, around the end."""
        shown, here = self.shown(), self._player.preset
        if not shown:
            return
        if here in shown:
            at = (shown.index(here) + step) % len(shown)
        else:  # from between two that are shown
            before = sum(index < here for index in shown)
            at = (before if step > 0 else before - 1) % len(shown)
        self._player.choose_preset(shown[at])

    def _clicked(self, item: QListWidgetItem) -> None:
        self.choose(item.data(INDEX_ROLE))

    def _moved(self, item: QListWidgetItem | None, _: QListWidgetItem | None) -> None:
        # A click also moves the current row, but before it is over: let `_clicked` do it once.
        if item is not None and QApplication.mouseButtons() == Qt.MouseButton.NoButton:
            self.choose(item.data(INDEX_ROLE))

    def _take_first(self) -> None:
        shown = self.shown()
        if shown:
            self.list.setFocus()
            self.choose(shown[0] if self._player.preset not in shown else self._player.preset)
