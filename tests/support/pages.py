"""What a page of HTML holds, as far as the tests of the report ask."""

import base64
import io
from html.parser import HTMLParser

from PIL import Image


class Page(HTMLParser):
    """Tags with their attributes, tables as rows of cells, headings, and the remaining text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.tables, self.headings, self.text = [], [], [], ""
        self._inside = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside.append(tag)
        match tag:
            case "table":
                self.tables.append([])
            case "tr":
                self.tables[-1].append([])
            case "td" | "th":
                self.tables[-1][-1].append("")
            case "h2" | "h3" | "summary":
                self.headings.append("")

    def handle_endtag(self, tag):
        # What has no end, such as an image, is not waited for.
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if {"td", "th"} & set(self._inside):
            self.tables[-1][-1][-1] += data
        elif {"h2", "h3", "summary"} & set(self._inside):
            self.headings[-1] += data
        else:
            self.text += data

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.tags if name in attributes]

    def sizes_of_images(self):
        """Width and height of every image, all of which must be PNGs within the page."""
        sizes = []
        for source in (attributes["src"] for tag, attributes in self.tags if tag == "img"):
            kind, _, content = source.partition(",")
            assert kind == "data:image/png;base64"
            with Image.open(io.BytesIO(base64.b64decode(content, validate=True))) as image:
                image.load()
                assert image.format == "PNG"
                sizes.append(image.size)
        return sizes
