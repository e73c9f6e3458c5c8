"""The look in one place: colours, sizes, fonts, and the style sheet of the standard widgets."""

from __future__ import annotations

import functools

from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontMetrics, QPalette

# One grid: every gap and every height is a multiple of UNIT (or half of it, inside a control).
UNIT = 8
HALF = UNIT // 2
RADIUS = 6

# Surfaces, from the back to the front.
BACKGROUND = "#121317"
PANEL = "#1a1c22"
WELL = "#0d0e11"  # sunk: the pad, the scope, text fields
RAISED = "#272a32"  # buttons, knob caps
RAISED_HOVER = "#323641"
LINE = "#343843"

# Text. Each reaches 4.5:1 on every surface it is used on (tests/test_ui_theme.py measures it).
TEXT = "#eceae4"
TEXT_QUIET = "#a9adb8"
TEXT_ON_ACCENT = "#15120b"

# Meaning. Orange and blue stay apart for every common kind of colour blindness; no meaning is colour alone.
ACCENT = "#f6a94a"  # the player's hand: values, held keys, the chosen preset
ACCENT_DEEP = "#7a5526"
TIMBRE = "#6fb7f2"  # the latent side of things: pad, direction knobs
TIMBRE_DEEP = "#2c4c69"
GLOW = "#263a4c"  # around the points of the pad
DANGER = "#ff7b6b"
METER = "#8fd3a5"

KEY_WHITE = "#dcdad3"
KEY_BLACK = "#17181d"
KEY_BLACK_FACE = "#2b2e37"
KEY_TEXT = "#50525a"

# Type sizes in px. Nothing is smaller than SMALL.
SMALL = 11
BODY = 13
LARGE = 16
TITLE = 20

BAR_HEIGHT = 8 * UNIT
STATUS_HEIGHT = 3 * UNIT + HALF
BUTTON_HEIGHT = 4 * UNIT

_FAMILIES = ("Inter", "SF Pro Text", "Segoe UI", "Noto Sans", "Cantarell", "Roboto", "DejaVu Sans")


@functools.cache
def qcolor(name: str, alpha: float = 1.0) -> QColor:
    """A colour of this file; shared, so do not change it in place."""
    colour = QColor(name)
    colour.setAlphaF(alpha)
    return colour


@functools.cache
def family() -> str:
    """The first of our families that this machine has, or the system's own."""
    present = set(QFontDatabase.families())
    for name in _FAMILIES:
        if name in present:
            return name
    return QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).family()


@functools.cache
def font(size: int = BODY, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """A shared font; numbers do not jump about because tabular figures are asked for where they exist."""
    result = QFont(family())
    result.setPixelSize(size)
    result.setWeight(weight)
    if hasattr(result, "setFeature") and hasattr(QFont, "Tag"):
        result.setFeature(QFont.Tag("tnum"), 1)
    return result


@functools.lru_cache(maxsize=1024)
def fitting_font(text: str, width: int, size: int, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """`font(size)`, or smaller and then condensed, so that a text fits a width; never below SMALL."""
    candidates = [font(step, weight) for step in range(size, SMALL - 1, -1)]
    for stretch in (QFont.Stretch.SemiCondensed, QFont.Stretch.Condensed):
        narrow = QFont(candidates[-1])
        narrow.setStretch(stretch)
        candidates.append(narrow)
    fits = (candidate for candidate in candidates if QFontMetrics(candidate).horizontalAdvance(text) <= width)
    return next(fits, candidates[-1])


def contrast(foreground: str, background: str) -> float:
    """WCAG 2 contrast ratio of two colours, 1..21."""

    def luminance(name: str) -> float:
        channels = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in QColor(name).getRgbF()[:3]  # type: ignore[index]
        ]
        return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]

    light, dark = sorted((luminance(foreground), luminance(background)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def palette() -> QPalette:
    """For what the style sheet does not reach (native dialogs, selections)."""
    result = QPalette()
    roles = QPalette.ColorRole
    for role, name in (
        (roles.Window, BACKGROUND),
        (roles.WindowText, TEXT),
        (roles.Base, WELL),
        (roles.AlternateBase, PANEL),
        (roles.Text, TEXT),
        (roles.Button, RAISED),
        (roles.ButtonText, TEXT),
        (roles.ToolTipBase, RAISED),
        (roles.ToolTipText, TEXT),
        (roles.PlaceholderText, TEXT_QUIET),
        (roles.Highlight, ACCENT),
        (roles.HighlightedText, TEXT_ON_ACCENT),
        (roles.Link, TIMBRE),
    ):
        result.setColor(role, qcolor(name))
    return result


def style_sheet() -> str:
    """Style of the standard widgets. Own controls paint themselves with the constants above."""
    return f"""
    QWidget {{ color: {TEXT}; }}
    QMainWindow, QDialog, QMessageBox {{ background: {BACKGROUND}; }}
    QLabel {{ background: transparent; }}
    QLabel[quiet="true"] {{ color: {TEXT_QUIET}; }}
    QLabel[heading="true"] {{ color: {TEXT_QUIET}; font-size: {SMALL}px; font-weight: 600; }}
    QFrame[strip="other"] {{ background: {BACKGROUND}; border-radius: {HALF}px; border-left: 3px solid {BACKGROUND}; }}
    QFrame[strip="chosen"] {{ background: {RAISED_HOVER}; border-radius: {HALF}px; border-left: 3px solid {ACCENT}; }}
    QFrame[panel="true"] {{ background: {PANEL}; border-radius: {RADIUS}px; }}
    QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {LINE}; padding: {HALF}px; }}

    QPushButton {{
        background: {RAISED}; border: 1px solid {RAISED}; border-radius: {RADIUS}px;
        padding: 0 {UNIT + HALF}px; min-height: {BUTTON_HEIGHT - 2}px; max-height: {BUTTON_HEIGHT - 2}px;
    }}
    QPushButton:hover {{ background: {RAISED_HOVER}; border-color: {RAISED_HOVER}; }}
    QPushButton:pressed {{ background: {LINE}; }}
    QPushButton:focus {{ border-color: {ACCENT}; }}
    QPushButton:disabled {{ color: {TEXT_QUIET}; background: {PANEL}; }}
    QPushButton:checked {{ background: {ACCENT}; color: {TEXT_ON_ACCENT}; border-color: {ACCENT}; }}
    QPushButton[primary="true"] {{ background: {ACCENT}; color: {TEXT_ON_ACCENT}; border-color: {ACCENT}; }}
    QPushButton[primary="true"]:focus {{ border-color: {TEXT}; }}
    QPushButton[letter="true"] {{ padding: 0; }}
    QPushButton[chip="true"] {{
        min-height: {3 * UNIT - 2}px; max-height: {3 * UNIT - 2}px; padding: 0 {UNIT}px;
        border-radius: {UNIT + HALF}px; font-size: {SMALL}px;
        background: transparent; border-color: {LINE}; color: {TEXT_QUIET};
    }}
    QPushButton[chip="true"]:hover {{ border-color: {TEXT_QUIET}; color: {TEXT}; }}
    QPushButton[chip="true"]:checked {{ background: {ACCENT}; color: {TEXT_ON_ACCENT}; border-color: {ACCENT}; }}
    QPushButton[chip="true"]:focus {{ border-color: {ACCENT}; }}
    QPushButton[chip="true"]:disabled {{ border-color: {PANEL}; }}
    QPushButton[corner="true"] {{ padding: 0; }}
    QPushButton[flat="true"] {{ background: transparent; border-color: transparent; text-align: left; }}
    QPushButton[flat="true"]:hover {{ background: {RAISED}; }}
    QPushButton[flat="true"]:focus {{ border-color: {ACCENT}; }}
    QPushButton[tall="true"] {{ min-height: {6 * UNIT}px; max-height: {6 * UNIT}px; padding: 0; border: none; }}
    QPushButton[part="true"] {{
        background: transparent; border: none; padding: 0; min-height: {4 * UNIT}px; max-height: {8 * UNIT}px;
    }}
    QPushButton[danger="true"] {{ color: {DANGER}; font-weight: 600; }}
    QPushButton::menu-indicator {{ image: none; width: 0; }}

    QLineEdit, QComboBox {{
        background: {WELL}; border: 1px solid {LINE}; border-radius: {RADIUS}px; padding: 0 {UNIT}px;
        min-height: {BUTTON_HEIGHT - 2}px; max-height: {BUTTON_HEIGHT - 2}px;
        selection-background-color: {ACCENT}; selection-color: {TEXT_ON_ACCENT};
    }}
    QLineEdit:focus, QComboBox:focus {{ border-color: {ACCENT}; }}
    QLineEdit[inline="true"] {{ padding: 0; border-radius: {HALF}px; min-height: 0; font-size: {SMALL}px; }}
    QLineEdit[bad="true"] {{ border-color: {DANGER}; }}
    QComboBox::drop-down {{ border: none; width: {3 * UNIT}px; }}
    QComboBox::down-arrow {{ image: none; width: 0; height: 0; }}
    QComboBox QAbstractItemView, QMenu {{
        background: {RAISED}; border: 1px solid {LINE}; padding: {HALF}px; outline: none;
        selection-background-color: {ACCENT}; selection-color: {TEXT_ON_ACCENT};
    }}
    QComboBox QAbstractItemView::item {{ min-height: {3 * UNIT + HALF}px; }}
    QMenu::item {{ padding: {HALF}px {2 * UNIT}px; border-radius: {HALF}px; min-height: {2 * UNIT + HALF}px; }}
    QMenu::item:selected {{ background: {ACCENT}; color: {TEXT_ON_ACCENT}; }}
    QMenu::item:disabled {{ color: {TEXT_QUIET}; background: transparent; }}
    QMenu::separator {{ height: 1px; background: {LINE}; margin: {HALF}px; }}

    QListView {{ background: transparent; border: none; outline: none; }}
    QFrame[choices="true"] {{ background: {RAISED}; border: 1px solid {LINE}; }}
    QFrame[choices="true"] QListView::item {{ padding: 0 {UNIT}px; border-radius: {HALF}px; }}
    QFrame[choices="true"] QListView::item:selected {{ background: {ACCENT}; color: {TEXT_ON_ACCENT}; }}
    QTabBar::tab {{
        color: {TEXT_QUIET}; background: transparent; border: none; border-bottom: 2px solid transparent;
        padding: 0 {HALF}px; height: {3 * UNIT + HALF}px; font-size: {SMALL + 1}px;
    }}
    QTabBar::tab:hover {{ color: {TEXT}; }}
    QTabBar::tab:selected {{ color: {TEXT}; border-bottom-color: {ACCENT}; }}
    QTabBar::tab:focus:selected {{ background: {RAISED}; }}

    QTableView {{
        background: transparent; border: none; outline: none; selection-background-color: {ACCENT};
        selection-color: {TEXT_ON_ACCENT};
    }}
    QTableView::item {{ padding: 0 {HALF}px; border: none; }}
    QHeaderView {{ background: transparent; }}
    QHeaderView::section {{
        background: {PANEL}; color: {TEXT_QUIET}; border: none; border-bottom: 1px solid {LINE}; padding: 0 7px;
        height: {3 * UNIT}px; font-size: {SMALL}px; font-weight: 600;
    }}
    QProgressBar {{ background: {WELL}; border: 1px solid {LINE}; border-radius: {HALF}px; max-height: {UNIT}px; }}
    QProgressBar::chunk {{ background: {ACCENT}; border-radius: {HALF - 1}px; }}

    QScrollArea {{ background: transparent; border: none; }}
    QScrollBar:vertical {{ background: transparent; width: {UNIT - 2}px; margin: 0; }}
    QScrollBar::handle:vertical {{ background: {LINE}; border-radius: {HALF - 1}px; min-height: {4 * UNIT}px; }}
    QScrollBar::handle:vertical:hover {{ background: {TEXT_QUIET}; }}
    QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{
        background: none; height: 0;
    }}

    QProgressBar {{ background: {WELL}; border: none; border-radius: {HALF - 1}px; max-height: {UNIT - 2}px; }}
    QProgressBar::chunk {{ background: {TIMBRE}; border-radius: {HALF - 1}px; }}

    QCheckBox {{ spacing: {UNIT}px; min-height: {3 * UNIT}px; }}
    QCheckBox::indicator {{
        width: {2 * UNIT}px; height: {2 * UNIT}px; border: 1px solid {TEXT_QUIET}; border-radius: {HALF}px;
        background: {WELL};
    }}
    QCheckBox::indicator:checked {{ background: {ACCENT}; border-color: {ACCENT}; }}
    QCheckBox:focus {{ color: {ACCENT}; }}
    """
