-- Callouts as tinted blocks in typst; HTML styles them by class.
function Div(div)
  if FORMAT == "typst" and div.classes:includes("callout") then
    local warn = div.classes:includes("warning") or div.classes:includes("important")
    local open = pandoc.RawBlock("typst", "#callout(" .. (warn and "true" or "false") .. ")[")
    local blocks = pandoc.Blocks({ open })
    blocks:extend(div.content)
    blocks:insert(pandoc.RawBlock("typst", "]"))
    return blocks
  end
end

-- A line break in the cell of a table.
function RawInline(raw)
  if raw.format == "html" and raw.text == "<br>" then return pandoc.LineBreak() end
end

-- A short table stays on one page; a longer one is parted, its head said again.
function Table(tbl)
  local rows = 0
  for _, body in ipairs(tbl.bodies) do rows = rows + #body.body end
  if FORMAT ~= "typst" or rows > 12 then return nil end
  return {
    pandoc.RawBlock("typst", "#block(breakable: false, width: 100%)["), tbl,
    pandoc.RawBlock("typst", "]"),
  }
end
