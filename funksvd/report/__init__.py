"""A report about a model: one HTML file with pictures.

Needs matplotlib and Jinja2, which are imported when a report is made.
"""

from funksvd.report.content import Content, gather
from funksvd.report.page import check_installed, is_report, write_pictures, write_report

__all__ = ["Content", "check_installed", "gather", "is_report", "write_pictures", "write_report"]
