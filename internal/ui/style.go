package ui

import (
	"image/color"

	"charm.land/lipgloss/v2"
)

// Theme paints words for one stream; on a stream without colour it returns them unchanged.
type Theme struct{ on bool }

// OutTheme is the theme of results.
func (s *Streams) OutTheme() Theme { return Theme{s.OutColor} }

// ErrTheme is the theme of progress, warnings and errors.
func (s *Streams) ErrTheme() Theme { return Theme{s.ErrColor} }

func (t Theme) paint(c color.Color, bold bool, text string) string {
	if !t.on {
		return text
	}
	style := lipgloss.NewStyle().Bold(bold)
	if c != nil {
		style = style.Foreground(c)
	}
	return style.Render(text)
}

// Bold makes headings and names stand out.
func (t Theme) Bold(text string) string { return t.paint(nil, true, text) }

// Good is for success and health.
func (t Theme) Good(text string) string { return t.paint(lipgloss.Green, false, text) }

// Warn is for what needs a look.
func (t Theme) Warn(text string) string { return t.paint(lipgloss.Yellow, false, text) }

// Bad is for failures.
func (t Theme) Bad(text string) string { return t.paint(lipgloss.Red, false, text) }

// Link is for addresses and commands to type.
func (t Theme) Link(text string) string { return t.paint(lipgloss.Cyan, false, text) }

// Dim is for detail that may be skipped.
func (t Theme) Dim(text string) string { return t.paint(lipgloss.BrightBlack, false, text) }

// Accent is one of a few distinct colours, chosen by i; for telling services apart.
func (t Theme) Accent(i int, text string) string {
	palette := []color.Color{
		lipgloss.Cyan, lipgloss.Magenta, lipgloss.Green, lipgloss.Yellow, lipgloss.Blue, lipgloss.BrightRed,
	}
	return t.paint(palette[i%len(palette)], false, text)
}
