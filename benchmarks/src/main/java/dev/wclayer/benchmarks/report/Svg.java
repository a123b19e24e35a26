package dev.wclayer.benchmarks.report;

import java.util.Locale;

/**
 * Writes one SVG picture. Its colours are readable on light and on dark pages: text and lines are a middle grey, and the
 * rest has the page's own background.
 */
final class Svg {
    static final String OURS = "#2f81f7";
    static final String PEER = "#8b949e";
    static final String TARGET = "#d29922";
    private static final String INK = "#808890";
    private static final String[] SERIES = {OURS, "#d29922", "#3fb950", "#db61a2", "#a371f7", "#8b949e"};

    private final StringBuilder body = new StringBuilder();
    private final int width;
    private final int height;
    private final String title;

    Svg(int width, int height, String title) {
        this.width = width;
        this.height = height;
        this.title = title;
        text(8, 20, title, 15, "start", true);
    }

    /** The colour of a line; ours is the first. */
    static String series(int index) {
        return SERIES[Math.min(index, SERIES.length - 1)];
    }

    void bar(double x, double y, double barWidth, double barHeight, String colour) {
        body.append(String.format(
                Locale.ROOT,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" fill=\"%s\"/>%n",
                x,
                y,
                Math.max(barWidth, 0.5),
                barHeight,
                colour));
    }

    void line(double x1, double y1, double x2, double y2, String colour, boolean dashed) {
        body.append(String.format(
                Locale.ROOT,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"1.5\"%s/>%n",
                x1,
                y1,
                x2,
                y2,
                colour,
                dashed ? " stroke-dasharray=\"4 3\"" : ""));
    }

    void axis(double x1, double y1, double x2, double y2) {
        line(x1, y1, x2, y2, INK, false);
    }

    void path(String points, String colour) {
        body.append("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"")
                .append(colour)
                .append("\" points=\"")
                .append(points)
                .append("\"/>\n");
    }

    void text(double x, double y, String text, int size, String anchor, boolean bold) {
        body.append(String.format(
                Locale.ROOT,
                "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%d\" text-anchor=\"%s\"%s>%s</text>%n",
                x,
                y,
                size,
                anchor,
                bold ? " font-weight=\"600\"" : "",
                escape(text)));
    }

    /** The whole picture. */
    String picture() {
        return String.format(
                        Locale.ROOT,
                        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
                                + "role=\"img\" font-family=\"system-ui, sans-serif\" fill=\"%s\">%n<title>%s</title>%n",
                        width,
                        height,
                        width,
                        height,
                        INK,
                        escape(title))
                + body + "</svg>\n";
    }

    static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
