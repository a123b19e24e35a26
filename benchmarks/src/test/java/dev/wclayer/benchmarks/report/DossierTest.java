package dev.wclayer.benchmarks.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.wclayer.benchmarks.compare.Host;
import dev.wclayer.benchmarks.compare.Report;
import dev.wclayer.benchmarks.compare.Report.RowResult;
import dev.wclayer.benchmarks.compare.Report.SubjectResult;
import dev.wclayer.benchmarks.compare.Subject.Sample;
import dev.wclayer.benchmarks.compare.Unit;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class DossierTest {
    private static final Report REPORT = new Report(
            new Host(Map.of("processor", "an <odd> & \"quoted\" | one")),
            "2026-01-02T03:04:05Z",
            "./build bench quick",
            List.of(
                    row(
                            "diff-plain",
                            "nano/10",
                            ours(0.010),
                            peer("GNU tar", 0.022, 0.002, 2.0, 1.8),
                            peer("slow & <naive>", 0.005, 0, 0.5, null)),
                    row("growth-diff", "small/100", ours(0.010), peer("GNU tar", 0.02, 0, 2.0, null)),
                    row("growth-diff", "small/10", ours(0.110), peer("GNU tar", 0.2, 0, 1.8, null)),
                    sampled()));

    @TempDir
    Path folder;

    @Test
    void aReportSurvivesJson() throws Exception {
        Path file = folder.resolve("report.json");
        REPORT.write(file);
        assertThat(Report.read(file)).isEqualTo(REPORT);
    }

    @Test
    void whatIsNoReportIsRefused() throws Exception {
        for (String text : List.of("", "{}", "[]", "{\"rows\": 1}", "no json")) {
            Path file = folder.resolve("report.json");
            Files.writeString(file, text);
            assertThatThrownBy(() -> Report.read(file))
                    .as(text)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("report.json");
        }
    }

    @Test
    void everyRowHasAPictureAndThePageShowsThemAll() throws Exception {
        Dossier.write(REPORT, folder);
        assertThat(Dossier.pictures(REPORT))
                .containsOnlyKeys(
                        "overview.svg",
                        "growth-diff.svg",
                        "diff-plain-nano-10.svg",
                        "process-diff-nano.svg",
                        "process-diff-nano-over-time.svg");
        String page = Files.readString(folder.resolve(Dossier.INDEX));
        for (String name : Dossier.pictures(REPORT).keySet()) {
            assertThat(folder.resolve(name)).isRegularFile();
            assertThat(page).contains("](" + name + ")");
        }
        assertThat(page)
                .contains("| diff-plain:nano/10 | 10.0 ms | GNU tar | 20.0 ms | 2.00 | 2.00 | 1.80 |")
                .contains("./build bench quick", "2026-01-02", "quoted\" \\| one", "15 % from run to run");
    }

    @Test
    void theSameReportGivesTheSamePage() throws Exception {
        Dossier.write(REPORT, folder);
        String first = Files.readString(folder.resolve(Dossier.INDEX));
        Dossier.write(REPORT, folder);
        assertThat(folder.resolve(Dossier.INDEX)).hasContent(first);
    }

    @Test
    void picturesAreWellFormedAndNothingLeavesThem() throws Exception {
        for (Map.Entry<String, String> picture : Dossier.pictures(REPORT).entrySet()) {
            Document document = parse(picture.getValue());
            double width = number(document.getDocumentElement(), "width");
            double height = number(document.getDocumentElement(), "height");
            NodeList texts = document.getElementsByTagName("text");
            assertThat(texts.getLength()).as(picture.getKey()).isGreaterThan(3);
            for (int i = 0; i < texts.getLength(); i++) {
                assertInside((Element) texts.item(i), picture.getKey(), width, height);
            }
            NodeList bars = document.getElementsByTagName("rect");
            for (int i = 0; i < bars.getLength(); i++) {
                Element bar = (Element) bars.item(i);
                assertThat(number(bar, "x") + number(bar, "width"))
                        .as(picture.getKey())
                        .isLessThanOrEqualTo(width);
            }
        }
    }

    /** Twice as fast is twice as long a bar, and the target stands where it belongs. */
    @Test
    void barsAndTargetsAreInProportion() throws Exception {
        Document document = parse(Charts.ratios(REPORT.rows().get(0)));
        Element tar = (Element) document.getElementsByTagName("rect").item(0);
        Element naive = (Element) document.getElementsByTagName("rect").item(1);
        assertThat(number(tar, "width") / number(naive, "width")).isBetween(3.95, 4.05);
        Element target = (Element) document.getElementsByTagName("line").item(0);
        double reached = (number(target, "x1") - number(tar, "x")) / number(tar, "width");
        assertThat(reached).isBetween(0.89, 0.91);
        assertThat(tar.getAttribute("fill")).isNotEqualTo(naive.getAttribute("fill"));
    }

    /** By width of the average letter: not exact, but a label that runs out by a word is found. */
    private static void assertInside(Element text, String picture, double width, double height) {
        double size = number(text, "font-size");
        double length = text.getTextContent().length() * size * 0.52;
        double x = number(text, "x");
        double left = switch (text.getAttribute("text-anchor")) {
            case "end" -> x - length;
            case "middle" -> x - length / 2;
            default -> x;
        };
        assertThat(left).as("%s: %s", picture, text.getTextContent()).isGreaterThanOrEqualTo(-2);
        assertThat(left + length).as("%s: %s", picture, text.getTextContent()).isLessThanOrEqualTo(width + 2);
        assertThat(number(text, "y"))
                .as("%s: %s", picture, text.getTextContent())
                .isBetween(10.0, height);
    }

    private static double number(Element element, String attribute) {
        return Double.parseDouble(element.getAttribute(attribute));
    }

    private static Document parse(String svg) throws Exception {
        return DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(svg)));
    }

    private static RowResult row(String id, String set, SubjectResult... subjects) {
        return new RowResult(id, "How long does it take, & how <much>?", set, Unit.SECONDS, List.of(subjects));
    }

    private static RowResult sampled() {
        List<Sample> samples = List.of(new Sample(0.1, 50e6), new Sample(0.5, 80e6), new Sample(0.9, 60e6));
        return new RowResult(
                "process-diff",
                "How large?",
                "nano",
                Unit.BYTES,
                List.of(
                        new SubjectResult("wclayer", List.of(80e6), 0, 1, 1, null, samples),
                        new SubjectResult("Commons Compress + SHA-256", List.of(160e6), 0, 2, 2, null, samples)));
    }

    private static SubjectResult ours(double seconds) {
        return new SubjectResult("wclayer", List.of(seconds, seconds * 2, seconds * 1.5), 0, 1, 1, null, List.of());
    }

    private static SubjectResult peer(
            String name, double seconds, double start, double ratio, @Nullable Double target) {
        return new SubjectResult(name, List.of(seconds, seconds * 2), start, ratio, ratio, target, List.of());
    }
}
