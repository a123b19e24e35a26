package dev.wclayer.cli;

import dev.wclayer.LayerSummary;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.List;
import picocli.CommandLine.Command;

@Command(name = "list", description = "List all layers: id, parent, kind, size, state.")
final class ListCommand extends LayerCommand {
    private static final String HEADING = "ID";

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        List<LayerSummary> layers = driver.list();
        if (output.wantsJson()) {
            output.json(Json.array(layers, Json::layer));
            return CommandLines.OK;
        }
        int id = HEADING.length();
        int parent = "PARENT".length();
        for (LayerSummary layer : layers) {
            id = Math.max(id, layer.id().length());
            parent = Math.max(parent, layer.parent().length());
        }
        String format = "%-" + id + "s  %-" + parent + "s  %-8s  %15s  %s";
        output.line(String.format(format, HEADING, "PARENT", "KIND", "SIZE", "STATE"));
        for (LayerSummary layer : layers) {
            output.line(String.format(
                    format,
                    layer.id(),
                    layer.parent().isEmpty() ? "-" : layer.parent(),
                    layer.kind().text(),
                    layer.sizeBytes(),
                    layer.state().text()));
        }
        return CommandLines.OK;
    }
}
