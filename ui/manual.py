"""The manual: in the system's viewer where its pictures lie beside it (a checkout), otherwise in a window of ours."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QTextBlockFormat, QTextCursor
from PySide6.QtWidgets import QDialog, QHBoxLayout, QTextBrowser, QVBoxLayout, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.standard import Button

MANUAL = Path(__file__).resolve().parent.parent / "docs" / "manual.md"  # beside ui/ in a checkout and in the package


def without_files(markdown: str) -> str:
    """The text without pictures, and without links to files, neither of which the package brings."""
    markdown = re.sub(r"^!\[[^\]]*\]\([^)]*\)\n+", "", markdown, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]*)\]\((?!https?://)[^)]*\)", r"\1", markdown)


class Manual(QDialog):
    """Stays open beside the window, so that one can read and play."""

    def __init__(self, parent: QWidget | None = None, path: Path = MANUAL) -> None:
        super().__init__(parent)
        self._path = path
        self.setWindowTitle("Manual")
        self.resize(90 * theme.UNIT, 80 * theme.UNIT)
        self.text = QTextBrowser()
        self.text.setOpenExternalLinks(True)
        self.text.setAccessibleName("Manual")
        self.text.document().setDocumentMargin(2 * theme.UNIT)
        close = Button("Close")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT)
        column.setSpacing(theme.UNIT)
        column.addWidget(self.text, 1)
        column.addLayout(buttons)

    def read(self) -> None:
        """Open the manual wherever it reads best."""
        with_pictures = (self._path.parent / "images").is_dir()
        if not (with_pictures and QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._path)))):
            self._show_text()

    def _show_text(self) -> None:
        if not self.text.toPlainText():
            try:
                markdown = self._path.read_text(encoding="utf-8")
            except OSError as error:
                markdown = f"{self._path} cannot be read ({error.strerror}); install noisysynth again."
            self.text.setMarkdown(without_files(markdown))
            cursor, spaced = QTextCursor(self.text.document()), QTextBlockFormat()
            spaced.setBottomMargin(theme.HALF)
            cursor.select(QTextCursor.SelectionType.Document)
            cursor.mergeBlockFormat(spaced)
        self.show()
        self.raise_()
        self.activateWindow()
